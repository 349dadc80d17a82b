//! Clients that are none: each is a line in the log and nothing else.

use std::{
    fs::File,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::FileExt,
    },
    thread,
    time::Duration,
};

use multiproc::{
    Connection, Context, Failure, Level, Manager,
    connection::{Address, Client},
    log_to_stderr,
    managers::{
        BaseManager, SyncManager, TypedProxy,
        pickle::{Object, Protocol, encode},
    },
};
use multiproc_tests::{TestResult, once, once_alone};
use rustix::fs::{MemfdFlags, memfd_create};

once_alone! { each_is_a_line_in_the_log_and_nothing_else }

once! {
    one_who_reads_nothing_or_says_half_holds_up_nobody,
    one_who_asks_again_while_it_waits_is_let_go,
    key_of_the_program_is_the_key_of_its_managers,
}

fn each_is_a_line_in_the_log_and_nothing_else() -> Result<(), Failure> {
    let heard = File::from(memfd_create("stderr", MemfdFlags::CLOEXEC)?);
    // What the server's process says, which is started from now on, is kept here.
    // SAFETY: Both are open descriptors.
    unsafe { libc::dup2(heard.as_raw_fd(), libc::STDERR_FILENO) };
    log_to_stderr(Level::Info);
    let builder = SyncManager::builder().address("127.0.0.1:0").authkey("right");
    let manager = SyncManager::from(builder.context(Context::spawn()).start()?);
    let Address::Tcp(address) = *manager.address() else { return Err("no port".into()) };
    let list = manager.list([1, 2, 3])?;
    let served = |after: &str| -> Result<(), Failure> {
        assert_eq!(list.to_vec()?, [1, 2, 3], "after {after}");
        assert_eq!(manager.number_of_objects()?, 1, "after {after}");
        Ok(())
    };

    // It stays until the end, and says nothing.
    let silent = TcpStream::connect(address)?;
    served("one that says nothing")?;

    let wrong = BaseManager::builder().address(Address::Tcp(address)).authkey("wrong").connect();
    assert!(wrong.is_err());
    until(&heard, "client refused: failed to authenticate")?;
    served("one with a wrong key")?;

    // Four GiB are announced by the last one: before the key by one who knows none, after it by one who does.
    let four = &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0];
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], &[0, 0, 0, 0], four] {
        let before = lines(&heard, "client refused")?;
        end_of(address, garbage)?;
        while lines(&heard, "client refused")? == before {
            thread::yield_now();
        }
        served("garbage instead of a key")?;
    }
    for (bytes, line) in [
        (&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0][..], "client let go"),
        (&[0xff, 0xff, 0xff, 0xfd, 1, 2, 3, 4], "client let go"),
    ] {
        let before = lines(&heard, line)?;
        let client = friend(address)?;
        let mut socket = TcpStream::from(OwnedFd::try_from(client)?);
        socket.write_all(bytes)?;
        // It is let go at once: memory is got for bytes that come, not for those announced.
        let mut rest = vec![];
        let _ = socket.read_to_end(&mut rest);
        while lines(&heard, line)? == before {
            thread::yield_now();
        }
        served("a length that lies")?;
    }
    // What is no request, or no pickle, is answered, and the connection goes on.
    let client = friend(address)?;
    client.send_object(&(None::<String>, "accept_connection", ["x"], Object::Dict(vec![])))?;
    let _: Object = client.recv_object()?;
    for nonsense in [&b"\x80\x04garbage"[..], b"", b"I1\n.", b"cos\nsystem\n(S'true'\ntR."] {
        client.send_bytes(nonsense)?;
        let (kind, text): (String, String) = client.recv_object()?;
        assert!(kind == "#TRACEBACK" && text.starts_with("ValueError"), "{kind}: {text}");
        served("a pickle that is no request")?;
    }
    drop((silent, client));

    // One who is given less time than it takes to fall asleep over this test.
    let builder = SyncManager::builder().address("127.0.0.1:0").authkey("right");
    let builder = builder.handshake_timeout(Duration::from_secs(5)).context(Context::spawn());
    let impatient = SyncManager::from(builder.start()?);
    let Address::Tcp(address) = *impatient.address() else { return Err("no port".into()) };
    let before = lines(&heard, "did not authenticate in time")?;
    let mut silent = TcpStream::connect(address)?;
    assert_eq!(impatient.list([1])?.to_vec()?, [1]);
    silent.read_to_end(&mut vec![])?;
    assert_eq!(impatient.list([1])?.to_vec()?, [1]);
    while lines(&heard, "did not authenticate in time")? == before {
        thread::yield_now();
    }
    drop(list);
    assert_eq!(manager.into_base().shutdown_code()?, Some(0));
    Ok(())
}

/// One who knows the key.
fn friend(address: SocketAddr) -> Result<Connection<()>, Failure> {
    Ok(Client::builder().authkey("right").connect(Address::Tcp(address))?)
}

/// Says something instead of what was asked for, and waits until the server hangs up.
fn end_of(address: SocketAddr, garbage: &[u8]) -> Result<(), Failure> {
    let mut socket = TcpStream::connect(address)?;
    socket.write_all(garbage)?;
    let mut answer = vec![];
    let _ = socket.read_to_end(&mut answer);
    assert!(answer.len() < 200, "a challenge and a refusal at most");
    Ok(())
}

fn text(heard: &File) -> Result<String, Failure> {
    let mut bytes = vec![0; usize::try_from(heard.metadata()?.len())?];
    heard.read_exact_at(&mut bytes, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn lines(heard: &File, with: &str) -> Result<usize, Failure> {
    Ok(text(heard)?.lines().filter(|line| line.contains(with)).count())
}

fn until(heard: &File, line: &str) -> Result<(), Failure> {
    while lines(heard, line)? == 0 {
        thread::yield_now();
    }
    Ok(())
}

/// A request as it goes over a stream.
fn framed(ident: Option<&str>, method: &str) -> Result<Vec<u8>, Failure> {
    let nothing = (Object::Tuple(vec![]), Object::Dict(vec![]));
    let request = Object::Tuple(vec![ident.into(), method.into(), nothing.0, nothing.1]);
    let bytes = encode(&request, Protocol::default())?;
    Ok([&u32::try_from(bytes.len())?.to_be_bytes()[..], &bytes].concat())
}

fn one_who_reads_nothing_or_says_half_holds_up_nobody() -> TestResult {
    const ITEM: usize = 1 << 20;
    let builder = SyncManager::builder().address("127.0.0.1:0").authkey("right");
    let manager = SyncManager::from(builder.start()?);
    let Address::Tcp(address) = *manager.address() else { return Err("no port".into()) };
    // 64 MiB: no buffer of the system's takes that.
    let long = manager.list((0..64u8).map(|n| Object::Bytes(vec![n; ITEM])))?;
    let introduced = || -> Result<Connection<()>, Failure> {
        let client = friend(address)?;
        client.send_bytes(&framed(None, "accept_connection")?[4..])?;
        let _: Object = client.recv_object()?;
        Ok(client)
    };
    let slow: Vec<_> = (0..2)
        .map(|_| {
            let client = introduced()?;
            client.send_bytes(&framed(Some(long.as_proxy().id()), "copy")?[4..])?;
            Ok::<_, Failure>(client)
        })
        .collect::<Result<_, _>>()?;
    let request = framed(None, "number_of_objects")?;
    let halves: Vec<_> = (1..request.len())
        .map(|at| {
            let mut socket = TcpStream::from(OwnedFd::try_from(introduced()?)?);
            socket.write_all(&request[..at])?;
            Ok::<_, Failure>((socket, at))
        })
        .collect::<Result<_, _>>()?;
    let other = manager.list([1])?;
    for n in 0..1000 {
        other.set(0, n)?;
        assert_eq!(other.get(0)?, n);
    }
    for (mut socket, at) in halves {
        socket.write_all(&request[at..])?;
        let client = Connection::<()>::from(OwnedFd::from(socket));
        assert_eq!(client.recv_object::<(String, usize)>()?, ("#RETURN".to_owned(), 2));
    }
    for client in slow {
        let (kind, items): (String, Vec<Object>) = client.recv_object()?;
        assert_eq!((&*kind, items.len()), ("#RETURN", 64));
        for (item, n) in items.iter().zip(0u8..) {
            assert!(item.as_bytes().unwrap() == vec![n; ITEM]);
        }
    }
    Ok(())
}

fn one_who_asks_again_while_it_waits_is_let_go() -> TestResult {
    let manager = SyncManager::from(SyncManager::builder().authkey("right").start()?);
    let queue = manager.queue::<i64>(0)?;
    let ident = queue.as_proxy().id();
    let client: Connection<()> = Client::builder().authkey("right").connect(manager.address())?;
    let nothing = || (Object::Tuple(vec![]), Object::Dict(vec![]));
    let (args, kwargs) = nothing();
    client.send_object(&(None::<String>, "accept_connection", args, kwargs))?;
    let _: Object = client.recv_object()?;
    for _ in 0..2 {
        let (args, kwargs) = nothing();
        client.send_object(&(ident, "get", args, kwargs))?;
    }
    assert!(client.recv_bytes().is_err());
    // And what it waited for is another's.
    queue.put(&7)?;
    assert_eq!(queue.get()?, 7);
    Ok(())
}

// parity: auth.default-key-scope
fn key_of_the_program_is_the_key_of_its_managers() -> TestResult {
    // Nobody names a key: not who starts the server, not who connects to it, here and in other processes.
    let manager = Manager::builder().address("127.0.0.1:0").start()?;
    assert_eq!(
        BaseManager::builder().address(manager.address()).connect()?.number_of_objects()?,
        0
    );
    let objects = |address: String| -> Result<usize, Failure> {
        Ok(BaseManager::builder().address(&*address).connect()?.number_of_objects()?)
    };
    for context in [Context::spawn(), Context::forkserver()] {
        let child = context.start(objects, (manager.address().to_string(),))?;
        assert_eq!(child.result()??, 0);
    }
    // Who says a key has another, and is refused.
    let other = BaseManager::builder().address(manager.address()).authkey("another");
    assert!(other.connect().is_err());
    Ok(())
}
