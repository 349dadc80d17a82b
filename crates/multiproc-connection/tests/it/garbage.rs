//! Frames and handshakes that were cut, flipped, repeated or made up.
//!
//! Whatever comes, a receive ends with a message or an error once the peer is gone: it neither
//! panics nor hangs, and takes no message longer than the limit.

use std::{io::Write, os::unix::net::UnixStream};

use multiproc_connection::{Address, Connection, Listener, RecvError, TryAcceptError};
use proptest::{collection::vec, prelude::*};

const LIMIT: u64 = 4096;

/// A valid stream of messages, short and long form, and a few that are too long.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let frame = (vec(any::<u8>(), 0..200), any::<bool>(), 0..20u8).prop_map(|(body, long, odd)| {
        let length = if odd == 0 { u64::MAX >> 20 } else { body.len() as u64 };
        let header = match (long, odd) {
            (true, _) => [&(-1i32).to_be_bytes()[..], &length.to_be_bytes()].concat(),
            (false, 1) => {
                [&(-2i32).to_be_bytes()[..], &3u32.to_be_bytes(), &length.to_be_bytes()].concat()
            }
            (false, _) => (body.len() as u32).to_be_bytes().to_vec(),
        };
        [header, body].concat()
    });
    vec(frame, 0..5).prop_map(|frames| frames.concat())
}

/// What a bad peer makes of it.
fn damaged(bytes: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let flips = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (bytes, flips, any::<prop::sample::Index>(), 0..4u8).prop_map(
        |(mut bytes, flips, place, how)| {
            if !bytes.is_empty() {
                for (index, mask) in flips {
                    let index = index.index(bytes.len());
                    bytes[index] ^= mask;
                }
                let place = place.index(bytes.len());
                match how {
                    0 => bytes.truncate(place),
                    1 => bytes.extend_from_within(place..),
                    2 => drop(bytes.drain(..place)),
                    _ => {}
                }
            }
            bytes
        },
    )
}

fn receive_all(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut peer, ours) = UnixStream::pair().unwrap();
    let ours = Connection::<(), ()>::from(std::os::fd::OwnedFd::from(ours)).max_message(LIMIT);
    peer.write_all(bytes).unwrap();
    drop(peer);
    let mut messages = Vec::new();
    loop {
        match ours.recv_bytes() {
            Ok(message) => messages.push(message),
            Err(RecvError::Closed) => return messages,
            Err(RecvError::Truncated | RecvError::TooLong { .. } | RecvError::Malformed) => {
                assert!(matches!(ours.recv_bytes(), Err(RecvError::Lost)));
                return messages;
            }
            Err(err) => panic!("{err:?}"),
        }
    }
}

/// The frames of a handshake that a client with the right key would send.
fn handshake() -> impl Strategy<Value = Vec<u8>> {
    let message = prop_oneof![
        Just(b"#WELCOME#".to_vec()),
        Just(b"#FAILURE#".to_vec()),
        vec(any::<u8>(), 0..70).prop_map(|body| [b"#CHALLENGE#{sha256}", &body[..]].concat()),
        vec(any::<u8>(), 32).prop_map(|mac| [b"{sha256}", &mac[..]].concat()),
        vec(any::<u8>(), 16),
        vec(any::<u8>(), 0..300),
    ];
    vec(message, 0..4).prop_map(|messages| {
        let framed = messages
            .iter()
            .map(|message| [&(message.len() as u32).to_be_bytes()[..], message].concat());
        framed.collect::<Vec<_>>().concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_frames_end_in_messages_or_an_error(bytes in damaged(frames())) {
        for message in receive_all(&bytes) {
            prop_assert!(message.len() as u64 <= LIMIT);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_handshakes_are_refused(bytes in damaged(handshake())) {
        thread_local! {
            static LISTENER: Listener =
                Listener::builder().authkey("key").allow_md5().bind().unwrap();
        }
        LISTENER.with(|listener| {
            let Address::Path(path) = listener.address() else { panic!("{listener:?}") };
            let mut peer = UnixStream::connect(path).unwrap();
            // It may be turned away before it has said everything.
            let _ = peer.write_all(&bytes);
            drop(peer);
            match listener.accept::<(), ()>() {
                Err(multiproc_connection::AcceptError::Authentication(_)) => {}
                other => panic!("{other:?}"),
            }
            assert!(matches!(listener.try_accept::<(), ()>(), Err(TryAcceptError::Empty)));
        });
    }

    #[test]
    fn damaged_welcomes_are_refused(bytes in damaged(handshake())) {
        let (mut peer, ours) = UnixStream::pair().unwrap();
        let ours = Connection::<(), ()>::from(std::os::fd::OwnedFd::from(ours));
        peer.write_all(&bytes).unwrap();
        drop(peer);
        let auth = multiproc_connection::Auth::new("key").allow_md5();
        // It can be welcomed by one who has no key, but no one without can be welcome.
        let _ = multiproc_connection::answer_challenge(&ours, &auth);
        prop_assert!(multiproc_connection::deliver_challenge(&ours, &auth).is_err());
    }
}

#[test]
fn undamaged_frames_arrive() {
    let wire = [&[0, 0, 0, 1, 7][..], &[255; 4], &[0, 0, 0, 0, 0, 0, 0, 2, 8, 9], &[0; 4]].concat();
    assert_eq!(receive_all(&wire), [vec![7], vec![8, 9], vec![]]);
}
