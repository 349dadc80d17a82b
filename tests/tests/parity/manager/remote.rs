//! Managers far away.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
};

use multiproc::{
    Context, Failure,
    connection::Address,
    managers::{
        BaseManager, CallError, ManagerError, Proxy, Sharing, Type, TypedProxy,
        pickle::Object,
        types::{Dict, Queue},
    },
};
use multiproc_tests::{TestResult, each_start_method, once, once_alone};

once! {
    values_arrive_as_they_were,
    server_starts_again_at_its_address,
    manager_that_is_connected_goes_on_with_the_next_server,
    connecting_to_nobody_is_an_error,
    clients_need_names_only,
    server_serves_until_told_otherwise,
    many_clients_are_served_at_once,
    strangers_are_no_trouble,
    queue_of_processes_is_exported,
}

once_alone! { connections_end_when_the_other_host_is_silent }

each_start_method! { queue_between_three }

fn address(manager: &BaseManager) -> String {
    manager.address().to_string()
}

// parity: remote_manager.two-process-queue, remote_manager.port-zero
fn queue_between_three(ctx: &Context) -> TestResult {
    let key: Vec<u8> = (0..32).map(|n| n * 7).collect();
    let manager = BaseManager::builder()
        .address("127.0.0.1:0")
        .authkey(key.clone())
        .context(ctx.clone())
        .add(Type::once("get_queue", Queue::new))
        .start()?;
    assert!(matches!(manager.address(), Address::Tcp(address) if address.port() != 0));
    ctx.start(put, (address(&manager), key.clone()))?.result()??;
    let third = BaseManager::builder().address(address(&manager)).authkey(key).connect()?;
    let queue = third.create("get_queue", ())?;
    assert_eq!(queue.call::<_, String>("get", ())?, "hello world");
    Ok(())
}

fn put(address: String, key: Vec<u8>) -> Result<(), Failure> {
    let manager = BaseManager::builder().address(address).authkey(key).connect()?;
    manager.create("get_queue", ())?.call_method("put", ("hello world",))?;
    Ok(())
}

// DIFFERENCE: the serializer is pickle, in which a tuple stays one.
// parity: remote_manager.value-kinds
fn values_arrive_as_they_were() -> TestResult {
    let manager = multiproc::Manager::builder().address("127.0.0.1:0").start()?;
    let queue = manager.create("Queue", ())?;
    let values = [
        "hello world".into(),
        Object::None,
        true.into(),
        2.25.into(),
        "hall\u{e5} v\u{e4}rlden".into(),
        "\u{43f}\u{440}\u{438}\u{432}\u{456}\u{442}".into(),
        Object::from(&b"hall\xe5"[..]),
        Object::from((1, "x")),
    ];
    for value in &values {
        queue.call_method("put", (value,))?;
    }
    for value in values {
        assert_eq!(queue.call_method("get", ())?, value);
    }
    Ok(())
}

// parity: remote_manager.rapid-restart
fn server_starts_again_at_its_address() -> TestResult {
    let build = || BaseManager::builder().authkey("k").add(Type::once("get_queue", Queue::new));
    let manager = build().address("127.0.0.1:0").start()?;
    let address = address(&manager);
    let queue = manager.create("get_queue", ())?;
    queue.call_method("put", (1,))?;
    manager.shutdown()?;
    let manager = build().address(&address).start()?;
    // What referred to the first server is an error, not a hang, and a new proxy is none.
    assert!(queue.call_method("qsize", ()).is_err());
    let queue = manager.create("get_queue", ())?;
    assert_eq!(queue.call::<_, usize>("qsize", ())?, 0);
    Ok(())
}

fn manager_that_is_connected_goes_on_with_the_next_server() -> TestResult {
    let build = || BaseManager::builder().authkey("k").sync_types();
    let server = build().address("127.0.0.1:0").start()?;
    let address = address(&server);
    let client = BaseManager::builder().authkey("k").address(&address).connect()?;
    let old = client.create("list", ([1],))?;
    server.shutdown()?;
    assert!(old.call_method("__len__", ()).unwrap_err().is_lost());
    assert!(client.create("list", ()).unwrap_err().is_lost());
    let _server = build().address(&address).start()?;
    let new = client.create("list", ([1, 2],))?;
    assert_eq!((new.call::<_, i64>("__len__", ())?, client.number_of_objects()?), (2, 1));
    // The same address, the same name even: not the same object.
    let err = old.call_method("__len__", ()).unwrap_err();
    assert!(matches!(err, CallError::Remote(_)), "{err}");
    Ok(())
}

// parity: remote_manager.connect-refused
fn connecting_to_nobody_is_an_error() -> TestResult {
    let fails = |address: &str| BaseManager::builder().address(address).authkey("k").connect();
    for address in ["/nonexistent/socket", "127.0.0.1:1"] {
        let err = fails(address).unwrap_err();
        assert!(matches!(&err, ManagerError::Call(CallError::Connect(_))), "{err:?}");
    }
    let manager = BaseManager::builder().authkey("another").start()?;
    assert!(fails(&address(&manager)).is_err());
    assert!(matches!(BaseManager::builder().connect(), Err(ManagerError::NoAddress)));
    Ok(())
}

// parity: remote_manager.connect-unregistered-callable, remote_manager.same-object-for-all
fn clients_need_names_only() -> TestResult {
    let manager = BaseManager::builder()
        .add(Type::once("get_dict", Dict::new))
        .add(Type::with("new_dict", |_| Ok(Dict::new())))
        .start()?;
    let client = BaseManager::builder().address(manager.address()).connect()?;
    let two = |typeid: &str| -> Result<(Proxy, Proxy), CallError> {
        let (a, b) = (manager.create(typeid, ())?, client.create(typeid, ())?);
        a.call_method("__setitem__", (1, 2))?;
        Ok((a, b))
    };
    let (a, b) = two("get_dict")?;
    assert!(a.is_same(&b) && b.to_string() == "{1: 2}");
    let (a, b) = two("new_dict")?;
    assert!(!a.is_same(&b) && b.to_string() == "{}");
    Ok(())
}

// parity: remote_manager.serve-forever
fn server_serves_until_told_otherwise() -> TestResult {
    let server =
        BaseManager::builder().authkey("k").share("get_queue", Queue::new()).get_server()?;
    let address = server.address().clone();
    let serving = thread::spawn(move || server.serve_forever());
    let client = BaseManager::builder().address(&address).authkey("k").connect()?;
    let queue = client.create("get_queue", ())?;
    let waiting = {
        let queue = queue.clone();
        thread::spawn(move || queue.call_method("get", ()))
    };
    client.shutdown_server()?;
    serving.join().unwrap()?;
    assert!(waiting.join().unwrap().unwrap_err().is_lost());
    Ok(())
}

// parity: remote_manager.many-clients
fn many_clients_are_served_at_once() -> TestResult {
    let manager = BaseManager::builder()
        .address("127.0.0.1:0")
        .authkey("k")
        .add(Type::once("get_queue", Queue::new))
        .start()?;
    let queue = manager.create("get_queue", ())?;
    // Each thread has a connection of its own, and all of them come at once.
    let threads: Vec<_> = (0..128)
        .map(|_| {
            let queue = queue.clone();
            thread::spawn(move || queue.call::<_, i64>("get", ()))
        })
        .collect();
    (0..128).try_for_each(|n| queue.call_method("put", (n,)).map(drop))?;
    let mut got = Vec::new();
    for thread in threads {
        got.push(thread.join().unwrap()?);
    }
    got.sort_unstable();
    assert_eq!(got, (0..128).collect::<Vec<_>>());
    Ok(())
}

/// How many connections by TCP this process has, all of which end when the other host is silent.
pub(super) fn watched_connections() -> usize {
    let option = |fd, level, name| -> Option<libc::c_int> {
        let mut value = 0;
        let mut length = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: The value is as long as is said.
        let got =
            unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &raw mut length) };
        (got == 0).then_some(value)
    };
    let inet = [libc::AF_INET, libc::AF_INET6].map(Some);
    (0..1024)
        .filter(|fd| inet.contains(&option(*fd, libc::SOL_SOCKET, libc::SO_DOMAIN)))
        .filter(|fd| option(*fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN) == Some(0))
        .inspect(|fd| {
            assert_eq!(option(*fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE), Some(1));
            assert_eq!(option(*fd, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE), Some(60));
            assert_eq!(option(*fd, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL), Some(10));
            assert_eq!(option(*fd, libc::IPPROTO_TCP, libc::TCP_KEEPCNT), Some(6));
            assert_eq!(option(*fd, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT), Some(120_000));
        })
        .count()
}

fn connections_end_when_the_other_host_is_silent() -> Result<(), Failure> {
    let server = BaseManager::builder().address("127.0.0.1:0").authkey("k").get_server()?;
    let address = server.address().clone();
    thread::spawn(move || server.serve_forever());
    let client = BaseManager::builder().address(&address).authkey("k").connect()?;
    assert_eq!(client.number_of_objects()?, 0);
    // The client's end and the server's.
    assert_eq!(watched_connections(), 2);
    Ok(())
}

fn strangers_are_no_trouble() -> TestResult {
    let manager = multiproc::Manager::builder().address("127.0.0.1:0").start()?;
    let Address::Tcp(address) = *manager.address() else { return Err("no TCP".into()) };
    let silent = TcpStream::connect(address)?;
    let mut garbage = TcpStream::connect(address)?;
    garbage.write_all(&[0xa5; 4096])?;
    let mut long = TcpStream::connect(address)?;
    long.write_all(&(-1i32).to_be_bytes())?;
    long.write_all(&(4u64 << 30).to_be_bytes())?;
    assert!(BaseManager::builder().address(manager.address()).authkey("wrong").connect().is_err());
    // Those who know the key, and send what is no request.
    for bytes in [&b"\x80\x04N."[..], b"garbage", b"\x80\x04cos\nsystem\n(X\x02\x00\x00\x00lstR."] {
        let connection: multiproc::Connection<()> = multiproc::connection::Client::builder()
            .authkey(multiproc::current_process().authkey())
            .connect(manager.address())?;
        connection.send_bytes(bytes)?;
        let reply: (String, String) = connection.recv_object()?;
        assert_eq!(reply.0, "#TRACEBACK", "{reply:?}");
    }
    let list = manager.create("list", (vec![1, 2],))?;
    assert_eq!(list.to_string(), "[1, 2]");
    let mut rest = vec![];
    let _ = garbage.read_to_end(&mut rest);
    let _ = long.read_to_end(&mut rest);
    drop(silent);
    assert_eq!(list.into_proxy().call::<_, usize>("__len__", ())?, 2);
    Ok(())
}

/// A queue between processes of this program, for clients of others.
struct Exported(multiproc::Queue<String>);

#[multiproc::shared]
impl Exported {
    pub fn get(&self) -> Result<String, String> {
        self.0.get().map_err(|err| err.to_string())
    }
}

// parity: remote_manager.local-queue-exported
fn queue_of_processes_is_exported() -> TestResult {
    let queue = multiproc::Queue::<String>::new()?;
    let child = multiproc::spawn(say_hello, (queue.clone(),))?;
    let server = BaseManager::builder()
        .authkey("k")
        .share("get_queue", Sharing::new(Exported(queue)))
        .get_server()?;
    let address = server.address().clone();
    let serving = thread::spawn(move || server.serve_forever());
    let client = BaseManager::builder().address(&address).authkey("k").connect()?;
    let queue = ExportedProxy::from(client.create("get_queue", ())?);
    assert_eq!(queue.get()?, "local hello");
    child.result()??;
    client.shutdown_server()?;
    serving.join().unwrap()?;
    Ok(())
}

fn say_hello(queue: multiproc::Queue<String>) -> Result<(), Failure> {
    Ok(queue.put("local hello".to_owned())?)
}
