//! A message that is refused is lost, and no other.

use std::{
    error::Error,
    io::{Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    thread,
};

use multiproc_connection::{
    AcceptError, Address, Auth, Client, Connection, Listener, RecvError, RecvTimeoutError,
    TryRecvError, answer_challenge, deliver_challenge,
};
use multiproc_wire::pickle::{self, Globals, Limits, Object, PickleErrorKind};
use proptest::prelude::*;

use crate::{End, transports, watchdog};

fn chain(err: &dyn Error) -> String {
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(err) = source {
        text = format!("{text}: {err}");
        source = err.source();
    }
    text
}

/// Has the bytes refused, and shows that the connection goes on.
fn refusal((a, b): &(End, End), bytes: &[u8]) -> String {
    a.send_bytes(bytes).unwrap();
    a.send_object("next").unwrap();
    let err = b.recv_object::<Object>().unwrap_err();
    assert!(matches!(err, RecvError::Pickle(_)), "{err:?}");
    assert!(!err.is_closed());
    assert_eq!(b.recv_object::<String>().unwrap(), "next");
    chain(&err)
}

#[test]
fn bad_pickle_costs_one_message() {
    let deep = [&[b']'; 513][..], &[b'a'; 512], b"."].concat();
    let bad: [(&[u8], &str); 12] = [
        (b"", "pickle ends before its end"),
        (b"\x80\x04K", "pickle ends before its end"),
        (b"\x80\x04N.N.", "2 bytes are left over after the pickle"),
        (b"hello", "memo has no value 101"),
        (b"\xff.", "unknown opcode 0xff"),
        (b"P7\n.", "persistent ids are not supported"),
        (b"cos\nsystem\n(X\x02\0\0\0lstR.", "global `os.system` is not one that may be read"),
        (b"cdecimal\nDecimal\n.", "global `decimal.Decimal` is not one that may be read"),
        (b"cbuiltins\neval\n.", "global `builtins.eval` is not one that may be read"),
        (b"]q\0h\0a.", "value contains itself"),
        (b"\x8f(]\x90.", "unhashable type: 'list'"),
        (&deep, "value is nested more than 512 levels deep"),
    ];
    for ends in transports() {
        for (bytes, reason) in bad {
            let text = refusal(&ends, bytes);
            assert!(
                text.starts_with("failed to unpickle message: failed to read a pickle at byte ")
            );
            assert!(text.ends_with(reason), "{bytes:?}: {text}");
        }
    }
}

#[test]
fn every_way_to_receive_refuses_alike() {
    for (a, b) in transports() {
        a.send_bytes(b"cos\nsystem\n.").unwrap();
        a.send_bytes(b"cos\nsystem\n.").unwrap();
        let err = b.recv_object_timeout::<Object>(std::time::Duration::MAX).unwrap_err();
        assert!(matches!(err, RecvTimeoutError::Recv(RecvError::Pickle(_))), "{err:?}");
        b.poll(None).unwrap();
        let err = b.try_recv_object::<Object>().unwrap_err();
        assert!(matches!(err, TryRecvError::Recv(RecvError::Pickle(_))), "{err:?}");
        assert!(matches!(b.try_recv_object::<Object>(), Err(TryRecvError::Empty)));
    }
}

#[test]
fn object_of_another_type_costs_one_message() {
    for (a, b) in transports() {
        a.send_object(&(1, "x")).unwrap();
        a.send_object("next").unwrap();
        let err = b.recv_object::<(u8, u8)>().unwrap_err();
        assert_eq!(
            chain(&err),
            "message holds an object of another type: failed to turn an object into `(u8, u8)`: \
             invalid type: string \"x\", expected u8"
        );
        assert_eq!(b.recv_object::<String>().unwrap(), "next");
    }
}

#[test]
fn opaque_globals_are_there_for_who_asks() {
    let (a, b) = multiproc_connection::pipe::<(), ()>().unwrap();
    let bytes = b"cdecimal\nDecimal\n(X\x03\x00\x00\x001.5tR.";
    a.send_bytes(bytes).unwrap();
    let limits = Limits { globals: Globals::Any, ..Limits::DEFAULT };
    let opaque = pickle::decode_with(&b.recv_bytes().unwrap(), limits).unwrap();
    assert_eq!(opaque.to_string(), "decimal.Decimal('1.5')");
    // Who has it may also send it on; what it means is up to the receiver.
    b.send_object(&opaque).unwrap();
    let Err(RecvError::Pickle(err)) = a.recv_object::<Object>() else { panic!() };
    assert!(matches!(err.kind(), PickleErrorKind::Global { .. }));
}

proptest! {
    #[test]
    fn whatever_comes_costs_one_message(messages in prop::collection::vec(
        prop_oneof![
            any::<Vec<u8>>(),
            prop::collection::vec(prop::sample::select(&b"N]}().()eastbR2\x85\x94h0KK\x01"[..]), 0..40),
        ],
        1..8,
    )) {
        for (a, b) in transports() {
            for message in &messages {
                a.send_bytes(message).unwrap();
            }
            a.send_object("end").unwrap();
            for message in &messages {
                match b.recv_object::<Object>() {
                    Ok(object) => prop_assert!(pickle::decode(message).unwrap() == object),
                    Err(RecvError::Pickle(err)) => {
                        prop_assert_eq!(pickle::decode(message).unwrap_err(), err);
                    }
                    Err(err) => panic!("{err:?}"),
                }
            }
            prop_assert_eq!(b.recv_object::<String>().unwrap(), "end");
        }
    }
}

/// The bytes as a message of a stream.
fn framed(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

#[test]
fn stranger_has_no_pickle_read() {
    watchdog::watch();
    let listener = Listener::builder().authkey("key").bind().unwrap();
    let Address::Path(path) = listener.address() else { panic!("a Unix listener has a path") };
    let mut stranger = UnixStream::connect(path).unwrap();
    // In place of the answer; and one more, should the first be passed over.
    stranger.write_all(&framed(b"\x80\x04K\x07.")).unwrap();
    stranger.write_all(&framed(b"\x80\x04K\x07.")).unwrap();
    let err = listener.accept::<(), ()>().unwrap_err();
    assert!(matches!(err, AcceptError::Authentication(_)), "{err:?}");
    let mut told = vec![];
    // The end may be a reset, for it leaves the second one unread.
    let _ = stranger.read_to_end(&mut told);
    assert!(told.windows(11).any(|window| window == b"#CHALLENGE#"));
}

#[test]
fn objects_follow_right_behind_the_handshake() {
    watchdog::watch();
    let auth = Auth::new("key");
    let listener = Listener::builder().authkey("key").bind().unwrap();
    let Address::Path(path) = listener.address() else { panic!("a Unix listener has a path") };
    let client = End::from(OwnedFd::from(UnixStream::connect(path).unwrap()));
    thread::scope(|scope| {
        scope.spawn(|| {
            answer_challenge(&client, &auth).unwrap();
            deliver_challenge(&client, &auth).unwrap();
            client.send_object("hello").unwrap();
        });
        let served: Connection<()> = listener.accept().unwrap();
        assert_eq!(served.recv_object::<String>().unwrap(), "hello");
    });
}

#[test]
fn without_a_key_anybody_may_send_data_and_only_data() {
    watchdog::watch();
    let listener = Listener::builder().address("127.0.0.1:0").bind().unwrap();
    let client: Connection<()> = Client::builder().connect(listener.address()).unwrap();
    let served: Connection<()> = listener.accept().unwrap();
    client.send_bytes(b"cos\nsystem\n(X\x02\0\0\0lstR.").unwrap();
    client.send_object(&[1, 2]).unwrap();
    assert!(matches!(served.recv_object::<Object>(), Err(RecvError::Pickle(_))));
    assert_eq!(served.recv_object::<Vec<u8>>().unwrap(), [1, 2]);
}
