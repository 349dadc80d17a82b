//! Listeners and clients.

use std::{
    fs,
    io::ErrorKind,
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use multiproc_connection::{
    AcceptTimeoutError, Address, BindError, Client, ConnectError, ConnectTimeoutError, Connection,
    Family, Listener, TryAcceptError,
};

/// A folder that goes when the test does.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mpcn-{}-{test}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// One address of each kind, fit to be bound.
pub(crate) fn addresses(test: &str) -> (Scratch, Vec<Address>) {
    let scratch = Scratch::new(test);
    let name = format!("mpcn-{}-{test}", std::process::id());
    let path = Address::Path(scratch.join("socket"));
    let mut addresses =
        vec![path, Address::Abstract(name.into_bytes()), "127.0.0.1:0".parse().unwrap()];
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        addresses.push("[::1]:0".parse().unwrap());
    }
    addresses.push("localhost:0".parse().unwrap());
    (scratch, addresses)
}

pub(crate) fn connect(address: &Address) -> Result<Connection<String>, ConnectError> {
    Client::builder().connect(address)
}

// parity: listener.client-per-family, listener.abstract-socket, listener.poll-then-close
// parity: auth.no-key-no-auth
#[test]
fn clients_of_every_family_are_served() {
    let (_scratch, addresses) = addresses("served");
    for address in addresses {
        let listener = Listener::builder().address(&address).bind().unwrap();
        let client = connect(listener.address()).unwrap();
        let served: Connection<String> = listener.accept().unwrap();
        client.send(&"hello".to_owned()).unwrap();
        assert_eq!(served.recv().unwrap(), "hello", "{address}");
        served.send_bytes(b"unread").unwrap();
        assert!(client.poll(None).unwrap());
        drop((client, served));
        listener.close().unwrap();
    }
}

// parity: listener.bind-twice, listener.scope-closes
#[test]
fn address_in_use_is_refused_and_free_after_close() {
    let (_scratch, addresses) = addresses("twice");
    for address in addresses {
        let first = Listener::builder().address(&address).bind().unwrap();
        let again = || Listener::builder().address(first.address()).bind();
        match again().unwrap_err() {
            BindError::Io { source, .. } => assert_eq!(source.kind(), ErrorKind::AddrInUse),
            err => panic!("{err:?}"),
        }
        let address = first.address().clone();
        drop(first);
        let second = Listener::builder().address(&address).bind().unwrap();
        let client: Connection<u32> = Client::builder().connect(&address).unwrap();
        client.send(&1729).unwrap();
        assert_eq!(second.accept::<u32, u32>().unwrap().recv().unwrap(), 1729);
    }
}

// parity: listener.close-removes-file
#[test]
fn closing_removes_the_path_and_nobody_is_there() {
    let scratch = Scratch::new("removed");
    let path = scratch.join("socket");
    let listener = Listener::builder().address(&*path).bind().unwrap();
    assert!(path.exists());
    listener.close().unwrap();
    assert!(!path.exists());
    match connect(&Address::Path(path)).unwrap_err() {
        ConnectError::Io { source, .. } => assert_eq!(source.kind(), ErrorKind::NotFound),
        err => panic!("{err:?}"),
    }
}

#[test]
fn path_that_another_listener_took_over_stays() {
    let scratch = Scratch::new("taken");
    let path = scratch.join("socket");
    let first = Listener::builder().address(&*path).bind().unwrap();
    fs::rename(&path, scratch.join("moved")).unwrap();
    let second = Listener::builder().address(&*path).bind().unwrap();
    first.close().unwrap();
    assert!(path.exists(), "it is the second's");
    second.close().unwrap();
    assert!(!path.exists());
}

// parity: listener.refused-connect
#[test]
fn nobody_listening_is_connection_refused() {
    let listener = Listener::builder().family(Family::Inet).bind().unwrap();
    let address = listener.address().clone();
    drop(listener);
    match connect(&address).unwrap_err() {
        ConnectError::Io { source, .. } => assert_eq!(source.kind(), ErrorKind::ConnectionRefused),
        err => panic!("{err:?}"),
    }
}

// parity: listener.default-family
#[test]
fn default_is_a_path_in_a_private_folder() {
    let listener = Listener::builder().bind().unwrap();
    let Address::Path(path) = listener.address().clone() else { panic!("{listener:?}") };
    let folder = path.parent().unwrap().to_owned();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name(&path).starts_with("listener-"));
    assert!(name(&folder).starts_with("pymp-"));
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let _client = connect(listener.address()).unwrap();
    drop(listener);
    assert!(!folder.exists());
}

// parity: listener.default-inet-address, listener.last-accepted-inet
#[test]
fn default_of_tcp_is_a_free_port_and_the_peer_is_known() {
    let listener = Listener::builder().family(Family::Inet).bind().unwrap();
    let Address::Tcp(address) = *listener.address() else { panic!("{listener:?}") };
    assert!(address.ip().is_loopback());
    assert_ne!(address.port(), 0);
    assert_eq!(listener.last_accepted(), None);
    let stream = TcpStream::connect(address).unwrap();
    let _served: Connection<u8> = listener.accept().unwrap();
    assert_eq!(listener.last_accepted(), Some(Address::Tcp(stream.local_addr().unwrap())));
}

// parity: listener.backlog-default
#[test]
fn backlog_is_how_many_may_wait() {
    // One in the queue beyond the backlog, as the kernel counts.
    for (backlog, fit) in [(None, 2), (Some(4), 5)] {
        let builder = Listener::builder();
        let builder = backlog.into_iter().fold(builder, |builder, n| builder.backlog(n));
        let listener = builder.bind().unwrap();
        let attempt =
            |limit| Client::builder().connect_timeout::<u8, u8, _>(listener.address(), limit);
        let waiting: Vec<_> = (0..fit).map(|_| attempt(Duration::from_secs(60))).collect();
        assert!(waiting.iter().all(Result::is_ok), "{waiting:?}");
        let one_more = attempt(Duration::from_millis(50));
        assert!(matches!(one_more, Err(ConnectTimeoutError::Timeout)), "{one_more:?}");
    }
}

#[test]
fn accept_ends_in_time_and_looks_only() {
    let listener = Listener::builder().authkey("key").bind().unwrap();
    assert!(matches!(listener.try_accept::<u8, u8>(), Err(TryAcceptError::Empty)));
    let accepted = listener.accept_timeout::<u8, u8>(Duration::from_millis(10));
    assert!(matches!(accepted, Err(AcceptTimeoutError::Timeout)));
}

#[test]
fn client_gives_up_on_a_listener_that_says_nothing() {
    let listener = Listener::builder().bind().unwrap();
    let builder = Client::builder().authkey("key");
    let connected =
        builder.connect_timeout::<u8, u8, _>(listener.address(), Duration::from_millis(20));
    assert!(matches!(connected, Err(ConnectTimeoutError::Timeout)));
}

#[test]
fn small_tcp_messages_go_at_once() {
    let listener = Listener::builder().family(Family::Inet).bind().unwrap();
    let client: Connection<u8> = Client::builder().connect(listener.address()).unwrap();
    let served: Connection<u8> = listener.accept().unwrap();
    for end in [&client, &served] {
        assert!(rustix::net::sockopt::tcp_nodelay(end).unwrap());
    }
}

#[test]
fn address_that_is_none_is_an_error_of_bind_and_connect() {
    assert!(matches!(Listener::builder().address("nowhere").bind(), Err(BindError::Address(_))));
    let connected = Client::builder().connect::<u8, u8, _>(r"\\.\pipe\x");
    assert!(matches!(connected, Err(ConnectError::Address(_))));
}
