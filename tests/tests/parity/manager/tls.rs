//! Managers whose connections are sealed.

use std::{
    error::Error,
    io::{Read, Write},
    net::TcpStream,
    sync::mpsc,
    thread,
};

use multiproc::{
    Context, Failure,
    connection::Address,
    managers::{
        BaseManager, DictProxy, ManagerError, SyncManager, TlsClient, TlsServer, types::Queue,
    },
};
use multiproc_tests::{TestResult, each_start_method, held, once, once_alone};

use super::remote::watched_connections;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustix::process::{Pid, Signal, kill_process};

once! {
    server_elsewhere_is_used_by_those_who_trust_it,
    who_is_not_trusted_is_not_talked_to,
    clients_that_speak_no_tls_hold_up_nobody,
    address_that_is_not_of_tcp_is_an_error,
    killed_server_is_lost_though_a_child_has_copies,
}

once_alone! { program_that_has_looked_up_a_host_may_fork }

each_start_method! { proxies_take_the_trust_along }

type Made<T> = Result<T, Box<dyn Error>>;

/// A certificate that its owner has issued, for this host.
fn self_signed() -> Made<(String, TlsServer)> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = made.cert.pem();
    let server = TlsServer::from_pem(certificate.clone(), made.signing_key.serialize_pem());
    Ok((certificate, server))
}

/// An authority, and a server's certificate that it has issued for this host.
fn issued() -> Made<(String, TlsServer)> {
    let mut params = CertificateParams::new(vec![])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let host = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let certificate = host.signed_by(&key, &authority)?;
    Ok((authority.pem(), TlsServer::from_pem(certificate.pem(), key.serialize_pem())))
}

fn client(address: &Address, trusted: TlsClient) -> Result<BaseManager, ManagerError> {
    BaseManager::builder().address(address).authkey("k").tls_client(trusted).connect()
}

fn server_elsewhere_is_used_by_those_who_trust_it() -> TestResult {
    let (authority, identity) = issued()?;
    let builder = BaseManager::builder().address("127.0.0.1:0").authkey("k").tls_server(identity);
    let server = builder.share("get_queue", Queue::new()).sync_types().get_server()?;
    let address = server.address().clone();
    let serving = thread::spawn(move || server.serve_forever());
    let Address::Tcp(tcp) = &address else { return Err("no port".into()) };
    let by_name = Address::Host("localhost".to_owned(), tcp.port());
    let clients = [
        client(&address, TlsClient::roots(authority.clone()))?,
        client(&by_name, TlsClient::roots(authority.clone()))?,
        client(&address, TlsClient::roots(authority).server_name("localhost"))?,
    ];
    for (number, client) in clients.iter().enumerate() {
        let queue = client.create("get_queue", ())?;
        queue.call_method("put", (number,))?;
        let long = vec![number as u64; 100_000];
        queue.call_method("put", (&long,))?;
        assert_eq!(queue.call::<_, usize>("get", ())?, number);
        assert_eq!(queue.call::<_, Vec<u64>>("get", ())?, long);
    }
    // One that waits for an item does so while others come and go, each thread by a connection of its own.
    let (waiting, putting) = (clients[0].create("get_queue", ())?, &clients[1]);
    let waiter = thread::spawn(move || waiting.call::<_, i64>("get", ()));
    thread::scope(|scope| {
        let putter = scope.spawn(|| -> Result<(), String> {
            let queue = putting.create("get_queue", ()).map_err(|err| err.to_string())?;
            queue.call_method("put", (7,)).map(drop).map_err(|err| err.to_string())
        });
        putter.join().unwrap()
    })?;
    assert_eq!(waiter.join().unwrap()?, 7);
    clients[2].shutdown_server()?;
    serving.join().unwrap()?;
    assert!(clients[0].create("get_queue", ()).unwrap_err().is_lost());
    Ok(())
}

fn who_is_not_trusted_is_not_talked_to() -> TestResult {
    let (certificate, identity) = self_signed()?;
    let (other, _) = self_signed()?;
    let (authority, _) = issued()?;
    let manager = SyncManager::builder().address("127.0.0.1:0").authkey("k").tls_server(identity);
    let manager = manager.start()?;
    for stranger in [
        TlsClient::pinned(other),
        TlsClient::roots(authority),
        TlsClient::roots(certificate.clone()).server_name("example.org"),
        TlsClient::roots("no certificate"),
    ] {
        let err = client(manager.address(), stranger).unwrap_err();
        assert!(matches!(&err, ManagerError::Call(err) if err.is_lost()), "{err:?}");
    }
    let trusted = TlsClient::pinned(certificate);
    let wrong = BaseManager::builder().address(manager.address()).authkey("another");
    let err = wrong.tls_client(trusted.clone()).connect().unwrap_err();
    assert!(matches!(&err, ManagerError::Call(err) if err.is_lost()), "{err:?}");
    assert_eq!(client(manager.address(), trusted)?.number_of_objects()?, 0);
    assert_eq!(manager.shutdown_code()?, Some(0));
    Ok(())
}

fn clients_that_speak_no_tls_hold_up_nobody() -> TestResult {
    let (certificate, identity) = self_signed()?;
    let manager = SyncManager::builder().address("127.0.0.1:0").authkey("k").tls_server(identity);
    let manager = manager.start()?;
    let Address::Tcp(address) = manager.address() else { return Err("no port".into()) };
    let silent: Vec<_> = (0..50).map(|_| TcpStream::connect(address)).collect::<Result<_, _>>()?;
    let mut garbage = TcpStream::connect(address)?;
    garbage.write_all(&[0xff; 1000])?;
    let mut answer = vec![];
    // An alert at most, then the end.
    let _ = garbage.read_to_end(&mut answer);
    assert!(answer.len() < 100, "{answer:?}");
    let client = client(manager.address(), TlsClient::pinned(certificate))?;
    assert_eq!(client.create("list", ([1, 2],))?.to_string(), "[1, 2]");
    drop(silent);
    Ok(())
}

fn address_that_is_not_of_tcp_is_an_error() -> TestResult {
    let (certificate, identity) = self_signed()?;
    for address in [None, Some("/tmp/of-no-use")] {
        let builder = BaseManager::builder().authkey("k").tls_server(identity.clone());
        let builder = match address {
            Some(address) => builder.address(address),
            None => builder,
        };
        assert!(builder.clone().get_server().is_err());
        assert!(builder.start().is_err());
    }
    let broken = TlsServer::from_pem(certificate, "no key");
    let builder = BaseManager::builder().address("127.0.0.1:0").tls_server(broken);
    assert!(matches!(builder.get_server(), Err(ManagerError::Io(_))));
    Ok(())
}

fn killed_server_is_lost_though_a_child_has_copies() -> TestResult {
    let (_, identity) = self_signed()?;
    let manager = SyncManager::builder().address("127.0.0.1:0").authkey("k").tls_server(identity);
    let manager = SyncManager::from(manager.start()?);
    let queue = manager.queue::<i64>(0)?;
    let (tell, told) = mpsc::channel();
    let waiting = queue.clone();
    let waiter = thread::spawn(move || {
        tell.send(waiting.qsize()).unwrap();
        waiting.get()
    });
    told.recv()??;
    // It has copies of all that is connected, and keeps them.
    let (child, line) = held(&Context::fork().allow_threads())?;
    let pid = Pid::from_raw(manager.pid().ok_or("no pid")?.cast_signed()).ok_or("no pid")?;
    kill_process(pid, Signal::KILL)?;
    assert!(waiter.join().unwrap().unwrap_err().is_lost());
    assert!(child.is_alive());
    line.send(&())?;
    child.join()?;
    Ok(())
}

fn program_that_has_looked_up_a_host_may_fork() -> Result<(), Failure> {
    let (certificate, identity) = self_signed().map_err(|err| err.to_string())?;
    let manager = SyncManager::builder().address("127.0.0.1:0").authkey("k").tls_server(identity);
    let manager = manager.context(Context::spawn()).start()?;
    let Address::Tcp(address) = manager.address() else { return Err("no port".into()) };
    let by_name = Address::Host("localhost".to_owned(), address.port());
    let client = client(&by_name, TlsClient::pinned(certificate))?;
    assert_eq!(client.number_of_objects()?, 0);
    // That of the manager and the client's.
    assert_eq!(watched_connections(), 2);
    // Refused where there are threads of which it does not know whether they hold anything.
    let child = Context::fork().start(|| 7, ())?;
    assert_eq!(child.result()?, 7);
    Ok(())
}

fn proxies_take_the_trust_along(context: &Context) -> TestResult {
    let (_, identity) = self_signed()?;
    let manager = SyncManager::builder().address("127.0.0.1:0").tls_server(identity);
    let manager = SyncManager::from(manager.start()?);
    let dict = manager.dict([("x".to_owned(), 1i64)])?;
    let outer = manager.list([dict.clone()])?;
    let child = |dict: DictProxy<String, i64>| -> Result<(), Failure> { Ok(dict.set("x", &2)?) };
    context.start(child, (dict,))?.result()??;
    // And what was stored there is found by way of the list.
    assert_eq!(outer.get(0)?.get("x")?, Some(2));
    Ok(())
}
