//! Behaviours of Python's own tests that stand in no other file.

use std::{
    fs::File,
    io::Read,
    net::{TcpListener, TcpStream},
    os::fd::{AsRawFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use multiproc_connection::{Connection, Receiver, Sender, pipe, simplex, wait};
use multiproc_wire::Fd;
use serde::{Deserialize, Serialize};

// parity: connection.object-roundtrip
#[test]
fn object_comes_back_equal() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Item {
        Int(i64),
        Float(f64),
        None,
    }
    let (a, b) = pipe::<Vec<Item>, Vec<Item>>().unwrap();
    let echo = thread::spawn(move || b.send(&b.recv().unwrap()).unwrap());
    let sent = vec![Item::Int(1), Item::Float(2.25), Item::None];
    a.send(&sent).unwrap();
    assert_eq!(a.recv().unwrap(), sent);
    echo.join().unwrap();
}

// parity: connection.fileno-int
#[test]
fn descriptor_is_a_number() {
    let (a, b) = pipe::<u8, u8>().unwrap();
    assert!(0 <= a.as_raw_fd() && 0 <= b.as_raw_fd());
    assert_ne!(a.as_raw_fd(), b.as_raw_fd());
}

// parity: connection.send-bytes-offset
#[test]
fn parts_of_a_buffer_are_slices() {
    let (a, b) = pipe::<(), ()>().unwrap();
    let alphabet = b"abcdefghijklmnopqrstuvwxyz";
    for range in [5..26, 7..15, 26..26] {
        a.send_bytes(&alphabet[range.clone()]).unwrap();
        assert_eq!(b.recv_bytes().unwrap(), alphabet[range]);
    }
}

// parity: connection.scope-closes
#[test]
fn leaving_the_scope_closes() {
    let (a, b) = pipe::<u8, u8>().unwrap();
    {
        let _scoped = a;
    }
    assert!(b.recv().unwrap_err().is_closed());
}

#[test]
fn poller_gets_every_message_and_none_twice() {
    let strings = ["hello", "", "a", "b", "", "bye", "", "lop"];
    let (rx, tx) = simplex::<()>().unwrap();
    let sender = thread::spawn(move || {
        for string in strings {
            tx.send_bytes(string.as_bytes()).unwrap();
            thread::yield_now();
        }
    });
    let mut got = Vec::new();
    loop {
        while !rx.poll(Duration::from_millis(10)).unwrap() {}
        match rx.recv_bytes() {
            Ok(bytes) => got.push(String::from_utf8(bytes).unwrap()),
            Err(err) if err.is_closed() => break,
            Err(err) => panic!("{err:?}"),
        }
    }
    assert_eq!(got, strings);
    sender.join().unwrap();
}

#[test]
fn many_readers_are_read_to_their_ends() {
    let mut readers: Vec<Receiver<(u32, u32)>> = Vec::new();
    let mut senders = Vec::new();
    for sender in 0..4 {
        let (rx, tx): (_, Sender<(u32, u32)>) = simplex().unwrap();
        readers.push(rx);
        senders.push(thread::spawn(move || {
            for number in 0..10 {
                tx.send(&(number, sender)).unwrap();
                thread::yield_now();
            }
        }));
    }
    let mut got = Vec::new();
    while !readers.is_empty() {
        let objects: Vec<_> = readers.iter().map(|rx| rx as _).collect();
        for index in wait(&objects, None).unwrap().into_iter().rev() {
            match readers[index].recv() {
                Ok(message) => got.push(message),
                Err(err) if err.is_closed() => drop(readers.remove(index)),
                Err(err) => panic!("{err:?}"),
            }
        }
    }
    got.sort_unstable();
    let all: Vec<_> =
        (0..10).flat_map(|number| (0..4).map(move |sender| (number, sender))).collect();
    assert_eq!(got, all);
    senders.into_iter().for_each(|sender| sender.join().unwrap());
}

// parity: wait.timeout-empty
#[test]
fn two_idle_ends_are_waited_for_to_the_full() {
    let (a, b) = pipe::<u8, u8>().unwrap();
    let timeout = Duration::from_millis(200);
    let start = Instant::now();
    assert_eq!(wait(&[&a, &b], timeout).unwrap(), [] as [usize; 0]);
    assert!(timeout <= start.elapsed());
}

#[test]
fn tcp_socket_is_read_to_its_end_by_another() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (a, b) = pipe::<Fd<TcpStream>, ()>().unwrap();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        b.recv().unwrap().into_inner().read_to_string(&mut text).unwrap();
        text
    });
    a.send(&Fd(client)).unwrap();
    drop(a);
    let served: Connection<()> = OwnedFd::from(listener.accept().unwrap().0).into();
    std::io::Write::write_all(&mut File::from(OwnedFd::try_from(served).unwrap()), b"hello")
        .unwrap();
    // The copy that was sent is the reader's only.
    assert_eq!(reader.join().unwrap(), "hello");
}

#[test]
fn poller_of_a_shared_end_takes_no_part_of_a_message() {
    let (rx, tx) = simplex::<()>().unwrap();
    let shared = rustix::io::dup(&rx).unwrap();
    let polling = thread::spawn(move || Connection::<(), ()>::from(shared).poll(None).unwrap());
    tx.send_bytes(b"one").unwrap();
    tx.send_bytes(b"two").unwrap();
    assert!(polling.join().unwrap());
    assert_eq!(rx.recv_bytes().unwrap(), b"one");
    assert_eq!(rx.recv_bytes().unwrap(), b"two");
}
