//! `poll`, time-outs and `wait`.

use std::{
    net::{TcpListener, TcpStream},
    os::fd::AsFd,
    thread,
    time::{Duration, Instant},
};

use multiproc_connection::{RecvTimeoutError, pipe, simplex, wait};

const SHORT: Duration = Duration::from_millis(30);

// parity: connection.poll-immediate, connection.poll-ready, connection.poll-empty-message
#[test]
fn poll_takes_nothing() {
    let (a, b) = pipe::<(), ()>().unwrap();
    assert!(!b.poll(Duration::ZERO).unwrap());
    a.send_bytes(b"").unwrap();
    for _ in 0..2 {
        assert!(b.poll(Duration::ZERO).unwrap(), "an empty message is one too");
    }
    assert_eq!(b.recv_bytes().unwrap(), b"");
    assert!(!b.poll(Duration::ZERO).unwrap());
}

// parity: connection.poll-timeout, wait.nothing-given
#[test]
fn timeouts_are_not_cut_short() {
    let (a, _b) = pipe::<(), u8>().unwrap();
    let start = Instant::now();
    assert!(!a.poll(SHORT).unwrap());
    assert!(start.elapsed() >= SHORT);

    let start = Instant::now();
    assert!(matches!(a.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout)));
    assert!(start.elapsed() >= SHORT);

    let start = Instant::now();
    assert_eq!(wait(&[&a], SHORT).unwrap(), [] as [usize; 0]);
    assert_eq!(wait(&[], SHORT).unwrap(), [] as [usize; 0]);
    assert!(start.elapsed() >= 2 * SHORT);
}

// parity: connection.poll-infinite
#[test]
fn endless_waits_end_with_the_pipe() {
    let (a, b) = pipe::<u8, u8>().unwrap();
    let waiting = thread::spawn(move || {
        assert!(b.poll(None).unwrap());
        assert!(b.recv_timeout(Duration::MAX).unwrap_err().is_closed());
        assert_eq!(wait(&[&b], None).unwrap(), [0]);
    });
    drop(a);
    waiting.join().unwrap();
}

#[test]
fn wait_tells_all_that_are_ready_by_their_place() {
    let (idle, _idle) = pipe::<u8, u8>().unwrap();
    let (rx, tx) = simplex::<u8>().unwrap();
    let (ended, _) = pipe::<u8, u8>().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    tx.send(&1).unwrap();
    assert_eq!(wait(&[&idle, &rx, &ended, &listener], None).unwrap(), [1, 2]);

    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert_eq!(wait(&[&listener, &idle], None).unwrap(), [0]);
    assert_eq!(rx.recv().unwrap(), 1);
    assert_eq!(wait(&[&rx, &idle], Duration::ZERO).unwrap(), [] as [usize; 0]);
}

#[test]
fn wait_for_nothing_does_not_wait_for_ever() {
    assert_eq!(wait(&[], None).unwrap(), [] as [usize; 0]);
}

#[test]
fn wait_takes_thousands_of_objects() {
    let (idle, _idle) = pipe::<u8, u8>().unwrap();
    let (busy, other) = pipe::<u8, u8>().unwrap();
    other.send(&1).unwrap();
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let count = usize::try_from(limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX).min(5000);
    let mut objects: Vec<&dyn AsFd> = vec![&idle; count];
    objects[count - 1] = &busy;
    objects[17] = &busy;
    assert_eq!(wait(&objects, None).unwrap(), [17, count - 1]);
}
