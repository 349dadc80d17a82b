//! Connections over stream sockets.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixStream},
    thread,
    time::Duration,
};

use multiproc_connection::{
    Connection, RecvError, RecvTimeoutError, SendError, TryRecvError, wait,
};
use multiproc_wire::Fd;

fn connection<S, R>(end: impl Into<OwnedFd>) -> Connection<S, R> {
    Connection::from(end.into())
}

fn unix<S, R>() -> (Connection<S, R>, Connection<R, S>) {
    let (a, b) = UnixStream::pair().unwrap();
    (connection(a), connection(b))
}

fn tcp<S, R>() -> (Connection<S, R>, Connection<R, S>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (connection(client), connection(listener.accept().unwrap().0))
}

// parity: connection.large-message-16mib, connection.above-32mib
#[test]
fn every_length_comes_back_whole() {
    for (a, b) in [unix::<(), ()>(), tcp()] {
        let echo = thread::spawn(move || {
            while let Ok(message) = b.recv_bytes() {
                b.send_bytes(&message).unwrap();
            }
        });
        for len in [0, 1, 16_384, 16_385, 1 << 20, (33 << 20) + 7] {
            let sent: Vec<u8> = (0..len).map(|n: usize| (n % 251) as u8).collect();
            a.send_bytes(&sent).unwrap();
            assert!(a.recv_bytes().unwrap() == sent, "{len} bytes");
        }
        drop(a);
        echo.join().unwrap();
    }
}

// parity: connection.maxlength-exceeded-duplex
#[test]
fn stream_that_refused_a_message_can_only_send() {
    let (a, b) = unix::<(), ()>();
    a.send_bytes(&[1; 20]).unwrap();
    let err = b.recv_bytes_max(5).unwrap_err();
    assert!(matches!(err, RecvError::TooLong { length: 20, limit: 5 }), "{err:?}");
    assert!(matches!(b.recv_bytes(), Err(RecvError::Lost)));
    assert!(matches!(b.try_recv_bytes(), Err(TryRecvError::Recv(RecvError::Lost))));
    assert!(b.poll(Duration::ZERO).is_err());
    assert!(OwnedFd::try_from(b.max_message(7)).is_err(), "nor can it be handed on");

    let (a, b) = unix::<(), ()>();
    let b = b.max_message(5);
    a.send_bytes(&[1; 6]).unwrap();
    assert!(matches!(b.recv_bytes(), Err(RecvError::TooLong { .. })));
    b.send_bytes(b"still here").unwrap();
    assert_eq!(a.recv_bytes().unwrap(), b"still here");
}

#[test]
fn timeout_within_a_message_loses_nothing() {
    let (mut peer, ours) = UnixStream::pair().unwrap();
    let ours: Connection<(), ()> = connection(ours);
    peer.write_all(&[0, 0, 0, 6, b'a', b'b']).unwrap();
    for _ in 0..3 {
        let result = ours.recv_bytes_timeout(Duration::from_millis(1));
        assert!(matches!(result, Err(RecvTimeoutError::Timeout)), "{result:?}");
    }
    let (a, _b) = multiproc_connection::pipe::<Connection<(), ()>, ()>().unwrap();
    assert!(matches!(a.send(&ours), Err(SendError::Encode(_))), "half a message stays behind");
    peer.write_all(b"cdef").unwrap();
    assert_eq!(ours.recv_bytes().unwrap(), b"abcdef");
    a.send(&ours).unwrap();
}

#[test]
fn peer_that_dies_within_a_message_is_told_from_one_that_leaves() {
    let (mut peer, ours) = UnixStream::pair().unwrap();
    let ours: Connection<(), ()> = connection(ours);
    peer.write_all(&[0, 0, 0, 2, b'o', b'k', 0, 0, 0, 6, b'a', b'b']).unwrap();
    drop(peer);
    assert_eq!(ours.recv_bytes().unwrap(), b"ok");
    assert!(matches!(ours.recv_bytes(), Err(RecvError::Truncated)));
}

// parity: handles.received-cloexec
#[test]
fn handles_travel_over_unix_streams_by_the_hundreds() {
    for count in [1, 250, 251, 600] {
        let (a, b) = unix::<Vec<Fd<std::io::PipeReader>>, ()>();
        let (mut sent, mut writers) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (reader, writer) = std::io::pipe().unwrap();
            sent.push(Fd(reader));
            writers.push(writer);
        }
        a.send(&sent).unwrap();
        drop(sent);
        let received = b.recv().unwrap();
        assert_eq!(received.len(), count);
        for (index, (Fd(mut reader), mut writer)) in received.into_iter().zip(writers).enumerate() {
            let flags = rustix::io::fcntl_getfd(&reader).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
            writer.write_all(&index.to_le_bytes()).unwrap();
            drop(writer);
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, index.to_le_bytes());
        }
    }
}

#[test]
fn handles_over_the_network_are_refused_before_anything_goes() {
    let (a, b) = tcp::<Option<Fd<std::io::PipeReader>>, ()>();
    let (reader, _writer) = std::io::pipe().unwrap();
    assert!(matches!(a.send(&Some(Fd(reader))), Err(SendError::HandlesRefused)));
    a.send(&None).unwrap();
    assert!(b.recv().unwrap().is_none());
}

// parity: handles.fd-count-check, handles.missing-fd
#[test]
fn handles_that_were_claimed_but_not_attached_lose_the_stream() {
    for count in [1u32, 251, u32::MAX] {
        let (mut peer, ours) = UnixStream::pair().unwrap();
        let ours: Connection<(), ()> = connection(ours);
        let header = [&(-2i32).to_be_bytes()[..], &count.to_be_bytes(), &[0; 8]].concat();
        peer.write_all(&header).unwrap();
        assert!(matches!(ours.recv_bytes(), Err(RecvError::Malformed)));
        assert!(matches!(ours.recv_bytes(), Err(RecvError::Lost)));
    }
}

#[test]
fn stream_end_travels_and_is_a_stream_there() {
    let (a, b) = unix::<Connection<String>, ()>();
    for (ours, theirs) in [unix::<String, String>(), tcp()] {
        a.send(&theirs).unwrap();
        drop(theirs);
        let received = b.recv().unwrap();
        ours.send(&"foobar".to_owned()).unwrap();
        received.send(&received.recv().unwrap().to_uppercase()).unwrap();
        assert_eq!(ours.recv().unwrap(), "FOOBAR");
    }
}

#[test]
fn threads_share_an_end() {
    const EACH: u32 = 500;
    let (a, b) = unix::<(u32, Vec<u8>), ()>();
    let (a, b) = (&a, &b);
    let got: u32 = thread::scope(|scope| {
        for sender in 0..3 {
            scope.spawn(move || {
                for number in 0..EACH {
                    // Lengths on both sides of what a socket takes at once.
                    let len = if number % 50 == 0 { 500_000 } else { 10 };
                    a.send(&(sender, vec![sender as u8; len])).unwrap();
                }
            });
        }
        let receivers = [(); 3].map(|()| {
            scope.spawn(move || {
                for _ in 0..EACH {
                    let (sender, bytes) = b.recv_timeout(Duration::MAX).unwrap();
                    assert!(bytes.iter().all(|byte| u32::from(*byte) == sender));
                }
                EACH
            })
        });
        receivers.into_iter().map(|receiver| receiver.join().unwrap()).sum()
    });
    assert_eq!(got, 3 * EACH);
}

#[test]
fn try_send_begins_only_where_there_is_room() {
    let (a, b) = unix::<(), u64>();
    let mut sent = 0u64;
    while b.try_send(&sent).is_ok() {
        sent += 1;
    }
    assert!(0 < sent);
    for number in 0..sent {
        assert_eq!(a.recv().unwrap(), number);
    }
    assert!(matches!(a.try_recv(), Err(TryRecvError::Empty)));
}

// parity: wait.closed-peer-ready, wait.ready-subset
#[test]
fn wait_mixes_streams_and_plain_sockets() {
    let (a, b) = tcp::<u8, u8>();
    let (c, d) = unix::<u8, u8>();
    let (mut plain, other) = UnixStream::pair().unwrap();
    a.send(&1).unwrap();
    plain.write_all(b"0\n").unwrap();
    let mut ready = Vec::new();
    while ready != [0, 2] {
        ready = wait(&[&b, &d, &other], None).unwrap();
    }
    drop(c);
    assert!(wait(&[&d], None).unwrap() == [0]);
}
