//! Connecting to a listener, awaited.

use std::{io, time::Duration};

use multiproc_sys::readiness::{Registered, Side};
use multiproc_wire::Handle;
use rustix::{
    io::{Errno, ioctl_fionbio},
    net::{self, SocketFlags, sockopt},
};

use crate::{
    Address, AddressError, Auth, AuthenticationError, ClientBuilder, ConnectError, Connection,
    auth::{Dialogue, LONGEST},
    endpoint::Endpoint,
    socket::Socket,
};

/// How long to pause before a Unix listener with a full queue is tried again, at first and at most:
/// no event tells when it has room.
const PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(32);

impl ClientBuilder {
    /// Awaits what [`connect`](Self::connect) does, the handshake included.
    ///
    /// Dropping the future, as `tokio::time::timeout` does, closes what was connected.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Panics
    ///
    /// Panics when it is awaited outside a tokio runtime, or in one without I/O or time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use multiproc_connection::{Client, Connection, Listener};
    /// use tokio::time::timeout;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = Listener::builder().authkey("secret").bind()?;
    /// let client = Client::builder().authkey("secret").connect_async(listener.address());
    /// let (client, served) = tokio::join!(timeout(Duration::from_secs(60), client), async {
    ///     listener.accept_async::<String, String>().await
    /// });
    /// let (client, served): (Connection<String>, _) = (client??, served?);
    /// client.send_async(&"hello".to_owned()).await?;
    /// assert_eq!(served.recv_async().await?, "hello");
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect_async<S, R, A>(
        self,
        address: A,
    ) -> impl Future<Output = Result<Connection<S, R>, ConnectError>> + Send + use<S, R, A>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        let address = address.try_into().map_err(|err| ConnectError::Address(err.into()));
        async move {
            let address = address?;
            let failed = |err| ConnectError::Io { address: address.clone(), source: err };
            let socket = connect(&address).await.map_err(failed)?;
            let (auth, limit) = self.into_terms();
            let socket = socket.with_limit(limit);
            if let Some(auth) = auth {
                shake_hands(&socket, auth).await?;
            }
            Ok(Connection::new(socket))
        }
    }
}

async fn connect(address: &Address) -> io::Result<Socket> {
    let mut last = None;
    for endpoint in resolve(address).await? {
        match endpoint.connect_async().await {
            Ok(handle) => return Ok(Socket::stream(handle)),
            Err(err) => last = Some(err),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

/// Returns every endpoint that the address stands for. Names are looked up by another thread.
async fn resolve(address: &Address) -> io::Result<Vec<Endpoint>> {
    match address {
        Address::Host(host, port) => {
            let found = tokio::net::lookup_host((&**host, *port)).await?;
            Ok(found.map(Endpoint::Inet).collect())
        }
        address => Endpoint::resolve(address),
    }
}

async fn shake_hands(socket: &Socket, auth: Auth) -> Result<(), AuthenticationError> {
    let mut dialogue = Dialogue::client(auth)?;
    loop {
        let message = socket.recv_from_stranger_async(LONGEST).await?;
        let step = dialogue.step(&message);
        if let Some(reply) = step.reply {
            socket.send_bytes_async(&reply).await?;
        }
        if step.result? {
            return Ok(());
        }
    }
}

impl Endpoint {
    /// Makes a socket that is connected to here.
    async fn connect_async(&self) -> io::Result<Handle> {
        // Nobody else has it yet, so it may be non-blocking until it is handed out.
        let socket = self.socket(SocketFlags::NONBLOCK)?;
        let handle = Handle::from(socket);
        let mut pause = PAUSE;
        loop {
            let result = match self {
                Self::Inet(address) => net::connect(&handle, address),
                Self::Unix(address) => net::connect(&handle, address),
            };
            match result {
                Ok(()) => break,
                Err(Errno::INPROGRESS | Errno::INTR) if let Self::Inet(_) = self => {
                    let registered = Registered::new(handle.share(), Side::Write)?;
                    let _ready = registered.ready().await?;
                    sockopt::socket_error(&handle)??;
                    break;
                }
                Err(Errno::AGAIN) => {
                    tokio::time::sleep(pause).await;
                    pause = LONGEST_PAUSE.min(2 * pause);
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        ioctl_fionbio(&handle, false)?;
        self.hurry(&handle);
        Ok(handle)
    }
}
