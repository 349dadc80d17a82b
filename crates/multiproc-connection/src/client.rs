//! Connecting to a listener.

use std::time::Duration;

use multiproc_image::family::AuthKey;

use crate::{
    Address, AddressError, Auth, AuthenticationError, ConnectError, ConnectTimeoutError,
    Connection, Digest, TryRecvError,
    auth::{Dialogue, LONGEST},
    bounds,
    endpoint::Endpoint,
    patience::Patience,
    socket::Socket,
};

/// The connecting side: [`Client::builder`] is where it begins.
///
/// # Python
///
/// `multiprocessing.connection.Client`.
///
/// # Examples
///
/// ```
/// use multiproc_connection::{Client, Connection, Listener};
///
/// let listener = Listener::builder().authkey("secret").bind()?;
/// let address = listener.address().clone();
/// let client = std::thread::spawn(move || {
///     let connection: Connection<String> = Client::builder().authkey("secret").connect(address)?;
///     connection.send(&"hello".to_owned())?;
///     Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// });
/// let connection: Connection<String> = listener.accept()?;
/// assert_eq!(connection.recv()?, "hello");
/// client.join().unwrap().unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Client(());

impl Client {
    /// Starts to describe a connection.
    pub fn builder() -> ClientBuilder {
        ClientBuilder { key: None, digest: Digest::Sha256, md5: false, limit: bounds::DEFAULT }
    }
}

/// How to connect. Made by [`Client::builder`].
#[derive(Clone, Debug)]
#[must_use = "nothing is connected before `connect`"]
pub struct ClientBuilder {
    key: Option<AuthKey>,
    digest: Digest,
    md5: bool,
    limit: u64,
}

impl ClientBuilder {
    /// Has both ends prove that they know this key. Without one nobody proves anything.
    pub fn authkey(mut self, key: impl Into<AuthKey>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Asks the listener to prove the key by this digest, SHA-256 unless said.
    pub fn digest(mut self, digest: Digest) -> Self {
        self.digest = digest;
        self
    }

    /// Lets the listener use MD5, as CPython 3.11 and before does: it knows nothing else.
    pub fn allow_md5(mut self) -> Self {
        self.md5 = true;
        self
    }

    /// Sets the longest message that the connection takes, 1 GiB unless said.
    ///
    /// See [`Connection::max_message`].
    pub fn max_message(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Connects, and waits as long as it takes.
    ///
    /// # Errors
    ///
    /// Returns [`ConnectError`] when the address is none, nobody listens there, or either end does
    /// not know the key.
    pub fn connect<S, R, A>(self, address: A) -> Result<Connection<S, R>, ConnectError>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        self.connect_within(address, Patience::Endless).map_err(|err| match err {
            ConnectTimeoutError::Connect(err) => err,
            ConnectTimeoutError::Timeout => {
                ConnectError::Authentication(AuthenticationError::TimedOut)
            }
        })
    }

    /// Connects within `timeout`, the handshake included.
    ///
    /// To look up a host's name takes as long as the system lets it take; give an IP address where
    /// that matters.
    ///
    /// # Errors
    ///
    /// Returns [`ConnectTimeoutError::Timeout`] when that is not enough, else as
    /// [`connect`](Self::connect).
    pub fn connect_timeout<S, R, A>(
        self,
        address: A,
        timeout: Duration,
    ) -> Result<Connection<S, R>, ConnectTimeoutError>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        self.connect_within(address, Patience::lasting(timeout))
    }

    fn connect_within<S, R, A>(
        self,
        address: A,
        patience: Patience,
    ) -> Result<Connection<S, R>, ConnectTimeoutError>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        let address = address.try_into().map_err(|err| ConnectError::Address(err.into()))?;
        let (auth, limit) = self.into_terms();
        let socket = connect(&address, patience)?.with_limit(limit);
        if let Some(auth) = auth {
            shake_hands(&socket, auth, patience)?;
        }
        Ok(Connection::new(socket))
    }

    /// How to prove the key, if there is one, and the longest message.
    pub(crate) fn into_terms(self) -> (Option<Auth>, u64) {
        (Auth::of(self.key, self.digest, self.md5), self.limit)
    }
}

fn connect(address: &Address, patience: Patience) -> Result<Socket, ConnectTimeoutError> {
    let failed = |err| ConnectError::Io { address: address.clone(), source: err };
    let mut last = None;
    for endpoint in Endpoint::resolve(address).map_err(failed)? {
        match endpoint.connect(patience) {
            Ok(Some(socket)) => return Ok(Socket::stream(socket.into())),
            Ok(None) => return Err(ConnectTimeoutError::Timeout),
            Err(err) => last = Some(err),
        }
    }
    let err = last.unwrap_or_else(|| std::io::ErrorKind::NotFound.into());
    Err(failed(err).into())
}

fn shake_hands(socket: &Socket, auth: Auth, patience: Patience) -> Result<(), ConnectTimeoutError> {
    let failed = |err| ConnectTimeoutError::from(ConnectError::Authentication(err));
    let mut dialogue = Dialogue::client(auth).map_err(failed)?;
    loop {
        let message = match socket.recv_from_stranger(LONGEST, patience) {
            Ok(message) => message,
            Err(TryRecvError::Empty) => return Err(ConnectTimeoutError::Timeout),
            Err(TryRecvError::Recv(err)) => return Err(failed(err.into())),
        };
        let step = dialogue.step(&message);
        if let Some(reply) = step.reply {
            socket.send_bytes(&reply).map_err(|err| failed(err.into()))?;
        }
        if step.result.map_err(failed)? {
            return Ok(());
        }
    }
}
