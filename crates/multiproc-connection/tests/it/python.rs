//! Behaviours of Python's own tests that stand in no other file.

use std::{
    fs::File,
    io::Read,
    net::{TcpListener, TcpStream},
    os::fd::{AsRawFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use multiproc_connection::{Connection, pipe, wait};
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
