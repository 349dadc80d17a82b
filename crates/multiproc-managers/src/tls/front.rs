//! What stands before a server's listener: TLS on TCP outside, a plain socket inside.

use std::{io, net::TcpListener as StdListener, path::PathBuf, sync::Arc, thread, time::Duration};

use multiproc_connection::{Address, Listener};
use multiproc_image::logging;
use tokio::{
    net::{TcpListener, TcpStream, UnixStream},
    runtime,
    sync::oneshot,
    task::JoinSet,
    time,
};
use tokio_rustls::TlsAcceptor;

use super::{
    imp::TlsServer,
    relay::{Ending, relay},
};
use crate::silence::end_in_silence;

/// How long what was said last may take to be told, once the server has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long to wait before accepting again when the system has refused.
const PAUSE: Duration = Duration::from_millis(10);

/// How clients are let in.
#[derive(Clone)]
struct Door {
    acceptor: TlsAcceptor,
    /// How long a client may take for TLS's own handshake.
    handshake: Duration,
}

/// The face of a server with TLS.
pub(crate) struct Front {
    address: Address,
    door: Door,
    socket: Option<StdListener>,
    running: Option<(oneshot::Sender<()>, thread::JoinHandle<()>)>,
}

impl Front {
    pub(crate) fn bind(
        address: &Address,
        server: &TlsServer,
        handshake: Duration,
    ) -> io::Result<Self> {
        let acceptor = TlsAcceptor::from(Arc::new(server.config()?));
        let door = Door { acceptor, handshake };
        let socket = match address {
            Address::Tcp(address) => StdListener::bind(address)?,
            Address::Host(host, port) => StdListener::bind((&**host, *port))?,
            other => {
                let text = format!("TLS is for addresses of TCP, and {other} is none");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
        };
        let address = Address::Tcp(socket.local_addr()?);
        Ok(Self { address, door, socket: Some(socket), running: None })
    }

    /// Where clients connect to.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Lets clients through to the listener, by a thread of its own.
    pub(crate) fn start(&mut self, listener: &Listener) -> io::Result<()> {
        let (Address::Path(inside), Some(socket)) = (listener.address(), self.socket.take()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let (inside, door) = (inside.clone(), self.door.clone());
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("multiproc-tls".to_owned());
        let thread = thread.spawn(move || {
            let served = runtime.block_on(serve(socket, door, inside, stopped));
            if let Err(err) = served {
                logging::error(format_args!("TLS ends: {err}"));
            }
        })?;
        self.running = Some((stop, thread));
        Ok(())
    }

    /// Lets nobody through any more, and waits until what the server has said is told, but not for long.
    pub(crate) fn stop(self) {
        if let Some((stop, thread)) = self.running {
            drop(stop);
            // Its panic has been printed.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("address", &self.address).finish_non_exhaustive()
    }
}

async fn serve(
    socket: StdListener,
    door: Door,
    inside: PathBuf,
    mut stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let socket = TcpListener::from_std(socket)?;
    let mut relays = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            Some(_) = relays.join_next() => continue,
            _ = &mut stopped => break,
        };
        match accepted {
            Ok((client, peer)) => {
                let (door, inside) = (door.clone(), inside.clone());
                relays.spawn(async move {
                    if let Err(err) = admit(client, door, inside).await {
                        logging::info(format_args!("TLS client {peer} let go: {err}"));
                    }
                });
            }
            Err(err) => {
                logging::warning(format_args!("failed to accept a TLS client: {err}"));
                time::sleep(PAUSE).await;
            }
        }
    }
    drop(socket);
    // The server is gone, so each of them ends with what was on its way.
    let _ = time::timeout(LAST_WORDS, async { while relays.join_next().await.is_some() {} }).await;
    Ok(())
}

async fn admit(client: TcpStream, door: Door, inside: PathBuf) -> io::Result<()> {
    client.set_nodelay(true)?;
    end_in_silence(&client);
    // Until then it costs a task and a descriptor, and holds up nobody.
    let client = time::timeout(door.handshake, door.acceptor.accept(Ending(client))).await??;
    relay(client, Ending(UnixStream::connect(inside).await?)).await
}
