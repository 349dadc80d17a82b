//! The client's side of TLS.

use std::{
    io,
    net::ToSocketAddrs,
    os::{fd::OwnedFd, unix::net::UnixStream as StdStream},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use multiproc_connection::{
    Address, Auth, AuthKey, ConnectError, Connection, answer_challenge, deliver_challenge,
};
use multiproc_image::{after_fork::ForkLocal, threads};
use rustls::pki_types::ServerName;
use tokio::{
    net::{TcpStream, UnixStream},
    runtime::{self, Handle},
    sync::oneshot,
    time,
};
use tokio_rustls::TlsConnector;

use super::{
    imp::TlsClient,
    relay::{Ending, relay},
};
use crate::{CallError, client::Line, silence::end_in_silence};

/// Longer than any server takes to answer whom it means to serve.
const PATIENCE: Duration = Duration::from_secs(60);

/// What carries the bytes of all connections of this process: one thread, made when first needed.
static RELAYS: ForkLocal<Mutex<Option<Handle>>> = ForkLocal::new(|_| Mutex::default());

/// Where relays run. What the system refuses now it may grant to the next one who asks.
fn relays() -> io::Result<Handle> {
    let mut relays = RELAYS.get().lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(relays) = &*relays {
        return Ok(relays.clone());
    }
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    threads::spawn("multiproc-tls", move || runtime.block_on(std::future::pending::<()>()))?;
    Ok(relays.insert(handle).clone())
}

/// Makes a connection by TLS that has shown the key.
pub(crate) fn dial(
    client: &TlsClient,
    address: &Address,
    key: &AuthKey,
    md5: bool,
    limit: Option<Duration>,
) -> Result<Line, CallError> {
    let failed = |source| CallError::from(ConnectError::Io { address: address.clone(), source });
    let limit = limit.unwrap_or(PATIENCE);
    let (stream, shown) = connect(client, address, limit).map_err(failed)?;
    let connection = Connection::from(OwnedFd::from(stream));
    let auth = Auth::new(key.clone());
    let auth = if md5 { auth.allow_md5() } else { auth };
    answer_challenge(&connection, &auth)
        .and_then(|()| deliver_challenge(&connection, &auth))
        .map_err(ConnectError::from)?;
    let _ = shown.send(());
    Ok(connection)
}

fn connect(
    client: &TlsClient,
    address: &Address,
    limit: Duration,
) -> io::Result<(StdStream, oneshot::Sender<()>)> {
    let (host, port) = match address {
        Address::Tcp(address) => (address.ip().to_string(), address.port()),
        Address::Host(host, port) => (host.clone(), *port),
        other => {
            let text = format!("TLS is for addresses of TCP, and {other} is none");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
    };
    // Here, and not by the runtime: it would have a thread for this that a fork must not find.
    let servers: Vec<_> = (&*host, port).to_socket_addrs()?.collect();
    let name = client.name().unwrap_or(&host).to_owned();
    let name = ServerName::try_from(name)
        .map_err(|err| io::Error::new(io::ErrorKind::InvalidInput, err))?;
    let connector = TlsConnector::from(Arc::new(client.config()?));
    let relays = relays()?;
    let (ours, inside) = StdStream::pair()?;
    inside.set_nonblocking(true)?;
    let (tell, told) = mpsc::sync_channel::<io::Result<()>>(1);
    let (shown, seen) = oneshot::channel();
    relays.spawn(async move {
        let greeting = async {
            let server = TcpStream::connect(&*servers).await?;
            server.set_nodelay(true)?;
            end_in_silence(&server);
            let inside = Ending(UnixStream::from_std(inside)?);
            Ok((connector.connect(name, Ending(server)).await?, inside))
        };
        let late = |_| Err(io::ErrorKind::TimedOut.into());
        let (result, both) = match time::timeout(limit, greeting).await.unwrap_or_else(late) {
            Ok(both) => (Ok(()), Some(both)),
            Err(err) => (Err(err), None),
        };
        // Whoever asked waits for this.
        let _ = tell.send(result);
        let Some((server, inside)) = both else { return };
        let carrying = relay(inside, server);
        tokio::pin!(carrying);
        tokio::select! {
            done = &mut carrying => return drop(done),
            // Who is not welcome in time is let go, so that nobody waits for a server that says nothing.
            seen = time::timeout(limit, seen) => if !matches!(seen, Ok(Ok(()))) { return },
        }
        // Either end has gone, and finds out by itself.
        let _ = carrying.await;
    });
    // The relays end with the process only.
    told.recv().unwrap_or_else(|_| Err(io::ErrorKind::NotConnected.into()))?;
    Ok((ours, shown))
}
