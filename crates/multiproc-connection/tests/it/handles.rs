//! Connections, files and sockets inside messages.

use std::{
    fs::File,
    io::{PipeReader, PipeWriter, Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::AsFd,
};

use multiproc_connection::{Connection, Receiver, Sender, pipe, simplex};
use multiproc_wire::Fd;
use serde::{Deserialize, Serialize};

fn inode(fd: impl AsFd) -> u64 {
    rustix::fs::fstat(fd).unwrap().st_ino
}

#[test]
fn connection_travels_over_a_connection_of_its_own_type() {
    #[derive(Serialize, Deserialize)]
    struct Invitation {
        name: String,
        back: Connection<u32, String>,
        nested: Option<Vec<(u8, Receiver<u8>)>>,
    }
    let (a, b) = pipe::<Invitation, ()>().unwrap();
    let (ours, back) = pipe::<String, u32>().unwrap();
    let (rx, tx) = simplex::<u8>().unwrap();
    a.send(&Invitation { name: "x".to_owned(), back, nested: Some(vec![(1, rx)]) }).unwrap();

    let Invitation { name, back, nested } = b.recv().unwrap();
    assert_eq!(name, "x");
    back.send(&7).unwrap();
    assert_eq!(ours.recv().unwrap(), 7);
    ours.send(&"back".to_owned()).unwrap();
    assert_eq!(back.recv().unwrap(), "back");
    tx.send(&3).unwrap();
    assert_eq!(nested.unwrap()[0].1.recv().unwrap(), 3);
}

// parity: handles.connection-direction-kept
#[test]
fn halves_keep_their_direction() {
    let (a, b) = pipe::<(Receiver<String>, Sender<String>), ()>().unwrap();
    let (their_rx, our_tx) = simplex().unwrap();
    let (our_rx, their_tx) = simplex().unwrap();
    a.send(&(their_rx, their_tx)).unwrap();
    let (rx, tx) = b.recv().unwrap();
    our_tx.send(&"foobar".to_owned()).unwrap();
    tx.send(&rx.recv().unwrap().repeat(2)).unwrap();
    assert_eq!(our_rx.recv().unwrap(), "foobarfoobar");
}

// parity: handles.received-cloexec
#[test]
fn three_hundred_files_in_one_message_keep_their_order() {
    let (a, b) = pipe::<Vec<Fd<PipeReader>>, ()>().unwrap();
    let sent: Vec<_> = (0..300).map(|_| Fd(std::io::pipe().unwrap().0)).collect();
    a.send(&sent).unwrap();
    let received = b.recv().unwrap();
    assert_eq!(received.len(), 300);
    for (received, sent) in received.iter().zip(&sent) {
        assert_eq!(inode(&received.0), inode(&sent.0));
        let flags = rustix::io::fcntl_getfd(&received.0).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
}

#[test]
fn handles_travel_beside_a_large_value() {
    let (a, b) = pipe::<(Vec<u8>, Fd<PipeWriter>), ()>().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    a.send(&(vec![5; 1 << 20], Fd(writer))).unwrap();
    let (bytes, mut writer) = b.recv().unwrap();
    assert!(bytes == vec![5; 1 << 20]);
    writer.write_all(b"through").unwrap();
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "through", "no copy of the writer is left behind");
}

#[test]
fn socket_travels_to_be_read_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (a, b) = pipe::<Fd<TcpStream>, ()>().unwrap();
    a.send(&Fd(listener.accept().unwrap().0)).unwrap();
    client.write_all(b"some text").unwrap();
    drop(client);
    let mut text = String::new();
    b.recv().unwrap().into_inner().read_to_string(&mut text).unwrap();
    assert_eq!(text, "some text");
}

#[test]
fn handles_of_a_message_that_is_not_decoded_are_closed() {
    let (a, b) = pipe::<(u8, Fd<PipeWriter>), ()>().unwrap();
    for into in [false, true] {
        let (mut reader, writer) = std::io::pipe().unwrap();
        a.send(&(1, Fd(writer))).unwrap();
        let len = if into {
            b.recv_bytes_into(&mut [0; 9]).unwrap()
        } else {
            b.recv_bytes().unwrap().len()
        };
        assert_eq!(len, 2);
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    }
}

// parity: handles.missing-fd
#[test]
fn handle_claimed_by_bytes_without_one_is_an_error() {
    let (a, b) = pipe::<Fd<File>, ()>().unwrap();
    a.send_bytes(&[0]).unwrap();
    let err = b.recv().unwrap_err();
    let multiproc_connection::RecvError::Decode(err) = err else { panic!("{err:?}") };
    assert_eq!(err.kind().to_string(), "handle 0 of a message that came with 0");
}

#[test]
fn connection_outside_a_message_does_not_serialise() {
    let (a, _b) = pipe::<u8, u8>().unwrap();
    let err = serde_json::to_string(&a).unwrap_err().to_string();
    assert!(err.contains("only inside a message"), "{err}");
}
