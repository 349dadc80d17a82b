//! Keys, right and wrong, on connections.

use std::{
    io::{IoSlice, Read},
    mem::MaybeUninit,
    os::{fd::AsFd, unix::net::UnixStream},
    thread,
};

use multiproc_connection::{
    AcceptError, Address, Auth, AuthenticationError, Client, ConnectError, Connection, Digest,
    Family, Listener, RecvError, TryAcceptError, answer_challenge, deliver_challenge, pipe,
};
use rustix::{
    io::ioctl_fionbio,
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
};

use crate::watchdog;

// parity: auth.mutual
#[test]
fn right_key_connects_in_every_family_and_digest() {
    for (family, digest) in
        [Family::Unix, Family::Inet].into_iter().zip(Digest::ALL.into_iter().skip(1))
    {
        let listener = Listener::builder().family(family).authkey("key").digest(digest);
        let listener = listener.bind().unwrap();
        let address = listener.address().clone();
        let client = thread::spawn(move || {
            let builder = Client::builder().authkey("key").digest(Digest::Sha3_384);
            builder.connect::<String, String, _>(address).unwrap()
        });
        let served: Connection<String> = listener.accept().unwrap();
        served.send(&"welcome".to_owned()).unwrap();
        assert_eq!(client.join().unwrap().recv().unwrap(), "welcome");
    }
}

// parity: auth.rejected-connection-closed
#[test]
fn who_fails_is_told_and_closed() {
    for family in Family::ALL {
        let listener = Listener::builder().family(family).authkey("key").bind().unwrap();
        let client: Connection<()> = Client::builder().connect(listener.address()).unwrap();
        client.send_bytes(b"{sha256}and nothing that is a proof of anything").unwrap();
        let err = listener.accept::<(), ()>().unwrap_err();
        assert!(matches!(err, AcceptError::Authentication(_)), "{err:?}");
        assert!(client.recv_bytes().unwrap().starts_with(b"#CHALLENGE#"));
        assert_eq!(client.recv_bytes().unwrap(), b"#FAILURE#");
        assert!(client.recv_bytes().unwrap_err().is_closed());
    }
}

// parity: auth.wrong-key-both-sides
#[test]
fn wrong_key_is_an_error_on_both_ends_and_the_listener_goes_on() {
    let listener = Listener::builder().authkey("key").bind().unwrap();
    let connect = |key: &str| {
        let (address, key) = (listener.address().clone(), key.to_owned());
        thread::spawn(move || Client::builder().authkey(key).connect::<u8, u8, _>(address))
    };
    let client = connect("another");
    let err = listener.accept::<u8, u8>().unwrap_err();
    assert!(
        matches!(err, AcceptError::Authentication(AuthenticationError::WrongDigest)),
        "{err:?}"
    );
    let err = client.join().unwrap().unwrap_err();
    assert!(matches!(err, ConnectError::Authentication(AuthenticationError::Rejected)), "{err:?}");
    let client = connect("key");
    listener.accept::<u8, u8>().unwrap();
    client.join().unwrap().unwrap();
}

// parity: auth.deliver-bogus-reply
#[test]
fn bogus_reply_is_refused_and_said_so() {
    let (a, b) = pipe::<(), ()>().unwrap();
    b.send_bytes(b"something bogus").unwrap();
    let err = deliver_challenge(&a, &Auth::new("some key")).unwrap_err();
    assert!(matches!(err, AuthenticationError::UnknownDigest), "{err:?}");
    assert!(b.recv_bytes().unwrap().starts_with(b"#CHALLENGE#{sha256}"));
    assert_eq!(b.recv_bytes().unwrap(), b"#FAILURE#");
}

// parity: auth.answer-not-welcomed, auth.outcome-messages
#[test]
fn anything_but_the_welcome_is_a_rejection() {
    for (verdict, is_welcome) in [(&b"#WELCOME#"[..], true), (b"#FAILURE#", false), (b"", false)] {
        let (a, b) = pipe::<(), ()>().unwrap();
        b.send_bytes(b"#CHALLENGE#{sha256}01234567890123456789").unwrap();
        b.send_bytes(verdict).unwrap();
        assert_eq!(answer_challenge(&a, &Auth::new("some key")).is_ok(), is_welcome);
    }
}

// parity: auth.oversized-message
#[test]
fn long_message_within_the_handshake_is_refused() {
    let (a, b) = pipe::<(), ()>().unwrap();
    b.send_bytes(&[b'x'; 257]).unwrap();
    let err = answer_challenge(&a, &Auth::new("some key")).unwrap_err();
    let AuthenticationError::Recv(RecvError::TooLong { limit: 256, .. }) = err else {
        panic!("{err:?}")
    };

    let listener = Listener::builder().authkey("key").bind().unwrap();
    let client: Connection<u8> = Client::builder().connect(listener.address()).unwrap();
    client.send_bytes(&[b'x'; 257]).unwrap();
    let AcceptError::Authentication(AuthenticationError::Recv(RecvError::TooLong { .. })) =
        listener.accept::<u8, u8>().unwrap_err()
    else {
        panic!("expected the message to be too long");
    };
}

// parity: auth.missing-marker
#[test]
fn listener_without_a_key_that_speaks_first_is_refused() {
    let listener = Listener::builder().bind().unwrap();
    let address = listener.address().clone();
    let client = thread::spawn(move || {
        Client::builder().authkey("key").connect::<u8, u8, _>(address).unwrap_err()
    });
    let served: Connection<u8> = listener.accept().unwrap();
    served.send_bytes(b"hello, who are you?").unwrap();
    let err = client.join().unwrap();
    assert!(
        matches!(err, ConnectError::Authentication(AuthenticationError::NoChallenge)),
        "{err:?}"
    );
}

// parity: auth.key-not-serialisable
#[test]
fn key_does_not_show() {
    assert!(!format!("{:?}", Auth::new("hunter2")).contains("hunter2"));
    let builder = Listener::builder().authkey("hunter2");
    assert!(!format!("{builder:?}").contains("hunter2"));
}

#[test]
fn handles_are_not_taken_from_strangers() {
    let listener = Listener::builder().authkey("key").bind().unwrap();
    let client: Connection<Connection<u8>, u8> =
        Client::builder().connect(listener.address()).unwrap();
    client.send(&pipe::<u8, u8>().unwrap().0).unwrap();
    let AcceptError::Authentication(AuthenticationError::Recv(RecvError::Malformed)) =
        listener.accept::<u8, u8>().unwrap_err()
    else {
        panic!("expected the handles to be refused");
    };
}

#[test]
fn descriptors_of_strangers_are_closed() {
    watchdog::watch();
    let listener = Listener::builder().authkey("key").bind().unwrap();
    let Address::Path(path) = listener.address() else { panic!("{listener:?}") };
    let stranger = UnixStream::connect(path).unwrap();
    // With each byte of a header that is not whole yet.
    for _ in 0..3 {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let fds = [writer.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        sendmsg(&stranger, &[IoSlice::new(&[0])], &mut control, SendFlags::empty()).unwrap();
        drop(writer);
        let waiting = listener.try_accept::<u8, u8>();
        assert!(matches!(waiting, Err(TryAcceptError::Empty)), "{waiting:?}");
        ioctl_fionbio(&reader, true).unwrap();
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "nobody has the other end");
    }
}
