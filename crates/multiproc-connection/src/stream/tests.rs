//! Frames as they stand on the wire.

use std::{
    io::{Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    time::Duration,
};

use super::*;

fn stream(end: impl Into<OwnedFd>) -> Stream {
    Stream::new(Handle::from(end.into()))
}

fn pair() -> (UnixStream, Stream) {
    let (a, b) = UnixStream::pair().unwrap();
    (a, stream(b))
}

fn receive(stream: &Stream, patience: Patience) -> Result<Vec<u8>, TryRecvError> {
    Buffers::lend(|buffers| {
        stream.recv(buffers, Bounds::bytes(1000), patience)?;
        Ok(buffers.bytes.clone())
    })
}

// parity: connection.wire-single-write
#[test]
fn header_and_message_go_out_in_one_write() {
    // A packet socket shows what was written at once.
    let (ours, theirs) = multiproc_sys::packet::pair().unwrap();
    let ours = stream(ours);
    for len in [0, 1, 16_384, 16_385, 60_000] {
        ours.send(&vec![7; len], &[], Patience::Endless).unwrap();
        let mut packet = vec![0; 1 << 20];
        let flags = rustix::net::RecvFlags::empty();
        let (_, got) = rustix::net::recv(&theirs, &mut packet[..], flags).unwrap();
        assert_eq!(got, 4 + len);
        assert_eq!(packet[..4], u32::try_from(len).unwrap().to_be_bytes());
    }
}

#[test]
fn message_that_comes_byte_by_byte_survives_every_timeout() {
    let (mut peer, end) = pair();
    let wire = [&[0, 0, 0, 3][..], b"abc", &[0, 0, 0, 0], &[0, 0, 0, 1, b'x']].concat();
    let mut got = Vec::new();
    for (index, byte) in wire.iter().enumerate() {
        peer.write_all(&[*byte]).unwrap();
        let patience =
            if index % 2 == 0 { Patience::None } else { Patience::lasting(Duration::ZERO) };
        match receive(&end, patience) {
            Ok(message) => got.push(message),
            Err(TryRecvError::Empty) => assert!(end.handle().is_err(), "within a message"),
            Err(err) => panic!("{err:?}"),
        }
    }
    assert_eq!(got, [&b"abc"[..], b"", b"x"]);
    assert!(end.handle().is_ok());
}

#[test]
fn nothing_behind_a_message_is_read() {
    let (mut peer, end) = pair();
    peer.write_all(&[0, 0, 0, 1, b'x', 9, 9, 9]).unwrap();
    drop(peer);
    assert_eq!(receive(&end, Patience::Endless).unwrap(), b"x");
    let mut rest = Vec::new();
    UnixStream::from(end.into_handle().unwrap().into_owned().unwrap())
        .read_to_end(&mut rest)
        .unwrap();
    assert_eq!(rest, [9, 9, 9]);
}

// parity: connection.killed-writer
#[test]
fn end_within_a_message_is_told_from_the_end_between_two() {
    for cut in [&[0, 0][..], &[0, 0, 0, 5], &[0, 0, 0, 5, 1], &[255, 255, 255, 255, 0]] {
        let (mut peer, end) = pair();
        peer.write_all(cut).unwrap();
        drop(peer);
        let err = receive(&end, Patience::Endless).unwrap_err();
        assert!(matches!(err, TryRecvError::Recv(RecvError::Truncated)), "{err:?}");
        let err = receive(&end, Patience::Endless).unwrap_err();
        assert!(matches!(err, TryRecvError::Recv(RecvError::Lost)), "{err:?}");
    }
    let (peer, end) = pair();
    drop(peer);
    for _ in 0..2 {
        let err = receive(&end, Patience::Endless).unwrap_err();
        assert!(err.is_closed(), "{err:?}");
    }
}

#[test]
fn length_that_lies_costs_no_memory() {
    let (mut peer, end) = pair();
    peer.write_all(&[255; 4]).unwrap();
    peer.write_all(&(u64::MAX / 2).to_be_bytes()).unwrap();
    peer.write_all(b"few").unwrap();
    let bounds = Bounds::bytes(u64::MAX);
    let err = Buffers::lend(|buffers| end.recv(buffers, bounds, Patience::None)).unwrap_err();
    assert!(matches!(err, TryRecvError::Empty), "{err:?}");
    let incoming = end.incoming.take(Patience::None).unwrap();
    assert!(incoming.capacity() <= 2 << 20);
}

#[test]
fn end_that_reads_ahead_keeps_what_came_and_says_so() {
    let (mut peer, end) = pair();
    end.read_ahead();
    peer.write_all(&[0, 0, 0, 1, b'x', 0, 0, 0, 2, b'y']).unwrap();
    assert_eq!(receive(&end, Patience::Endless).unwrap(), b"x");
    let err = end.handle().unwrap_err();
    assert!(err.to_string().starts_with("messages are read ahead"), "{err}");
    assert!(end.poll(Patience::None).unwrap(), "the socket is empty, the end is not");
    assert!(matches!(receive(&end, Patience::None), Err(TryRecvError::Empty)));
    assert!(end.handle().unwrap_err().to_string().starts_with("half a message"));
    peer.write_all(&[b'z', 0, 0, 0, 0]).unwrap();
    assert_eq!(receive(&end, Patience::Endless).unwrap(), b"yz");
    assert_eq!(receive(&end, Patience::None).unwrap(), b"");
    assert!(end.handle().is_ok() && !end.poll(Patience::None).unwrap());

    // Longer than what is read at once.
    let long = vec![7; 900];
    let wire: Vec<u8> = (0..100).flat_map(|_| [&[0, 0, 3, 132][..], &long].concat()).collect();
    let writer = std::thread::spawn(move || peer.write_all(&wire).unwrap());
    for _ in 0..100 {
        assert_eq!(receive(&end, Patience::Endless).unwrap(), long);
    }
    writer.join().unwrap();
    assert!(receive(&end, Patience::Endless).unwrap_err().is_closed());
}

#[test]
fn end_that_reads_ahead_gives_each_message_its_own_handles() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (ours, theirs) = (stream(ours), stream(theirs));
    theirs.read_ahead();
    let file = |name: &str| {
        let file = rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        rustix::io::write(&file, name.as_bytes()).unwrap();
        file
    };
    let many: Vec<_> = (0..300).map(|_| file("many")).collect();
    let (one, two) = (file("one"), file("two"));
    let send = |bytes: &[u8], fds: &[BorrowedFd<'_>]| {
        ours.send(bytes, fds, Patience::Endless).unwrap();
    };
    send(b"none", &[]);
    send(b"one", &[one.as_fd()]);
    send(b"refused", &[one.as_fd()]);
    send(b"two and one", &[two.as_fd(), one.as_fd()]);
    send(b"", &[]);
    // The header of the next one lies across the end of what is taken at once.
    let before: usize = [4 + 4, 16 + 3, 16 + 7, 16 + 11, 4, 4].iter().sum();
    let filler = vec![7; (16 << 10) - before - 8];
    send(&filler, &[]);
    let some: Vec<_> = many.iter().map(AsFd::as_fd).collect();
    send(b"many", &some);
    for (bytes, names) in [
        (&b"none"[..], &[][..]),
        (b"one", &["one"]),
        (b"refused", &["one"]),
        (b"two and one", &["two", "one"]),
        (b"", &[]),
        (&filler, &[]),
        (b"many", &["many"; 300]),
    ] {
        Buffers::lend(|buffers| {
            theirs.recv(buffers, Bounds::bytes(1 << 20), Patience::Endless).unwrap();
            assert_eq!(buffers.bytes, bytes);
            assert_eq!(buffers.fds.len(), names.len());
            for (fd, name) in buffers.fds.iter().zip(names) {
                let mut content = [0; 8];
                let got = rustix::io::pread(fd, &mut content[..], 0).unwrap();
                assert_eq!(&content[..got], name.as_bytes());
            }
        });
    }
    // As many as came, whatever the header says.
    let (peer, end) = pair();
    end.read_ahead();
    (&peer).write_all(&[255, 255, 255, 254, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    let err = receive(&end, Patience::Endless).unwrap_err();
    assert!(matches!(err, TryRecvError::Recv(RecvError::Malformed)), "{err:?}");
}
