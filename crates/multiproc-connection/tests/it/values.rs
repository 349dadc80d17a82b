//! Values go out and come in, and errors leave the pipe as it was.

use std::{cell::RefCell, collections::BTreeMap, error::Error, time::Duration};

use multiproc_connection::{
    Connection, RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError, pipe, simplex,
};
use multiproc_wire::{DecodeErrorKind, EncodeErrorKind};
use serde::{Serialize, Serializer, ser::Error as _};

// parity: connection.pipe-duplex-default
#[test]
fn both_directions_carry_their_own_type() {
    let (a, b) = pipe::<Vec<Option<f64>>, BTreeMap<String, u8>>().unwrap();
    a.send(&vec![Some(1.0), Some(2.25), None]).unwrap();
    b.send(&BTreeMap::from([("x".to_owned(), 1)])).unwrap();
    assert_eq!(b.recv().unwrap(), [Some(1.0), Some(2.25), None]);
    assert_eq!(a.recv().unwrap()["x"], 1);
}

#[test]
fn all_three_kinds_of_receiving_take_messages_in_order() {
    let (rx, tx) = simplex::<u32>().unwrap();
    assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));
    assert!(matches!(rx.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout)));
    for n in 0..3 {
        tx.send(&n).unwrap();
    }
    assert_eq!(rx.recv().unwrap(), 0);
    assert_eq!(rx.try_recv().unwrap(), 1);
    assert_eq!(rx.recv_timeout(Duration::MAX).unwrap(), 2);
}

#[test]
fn message_of_another_type_is_an_error_and_the_next_one_arrives() {
    let (a, b) = pipe::<bool, ()>().unwrap();
    a.send_bytes(&[7]).unwrap();
    a.send_bytes(&[1, 1]).unwrap();
    a.send(&true).unwrap();
    let err = b.recv().unwrap_err();
    assert!(matches!(&err, RecvError::Decode(err) if err.type_name() == "bool"));
    assert!(err.source().unwrap().to_string().contains("`bool`"));
    match b.recv().unwrap_err() {
        RecvError::Decode(err) => {
            assert_eq!(*err.kind(), DecodeErrorKind::TrailingBytes { count: 1 });
        }
        err => panic!("{err:?}"),
    }
    assert!(b.recv().unwrap());
}

/// Refuses to be sent if it is odd.
#[derive(Debug)]
struct Even(u8);

impl Serialize for Even {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 2 == 1 {
            return Err(S::Error::custom("odd"));
        }
        serializer.serialize_u8(self.0)
    }
}

// parity: connection.send-unserialisable
#[test]
fn value_that_cannot_be_encoded_sends_nothing() {
    let (a, b) = pipe::<(Vec<u8>, Even), ()>().unwrap();
    match a.send(&(vec![1; 100], Even(3))).unwrap_err() {
        SendError::Encode(err) => {
            assert_eq!(*err.kind(), EncodeErrorKind::Custom("odd".to_owned()));
        }
        err => panic!("{err:?}"),
    }
    let err = a.try_send(&(vec![], Even(5))).unwrap_err();
    assert!(matches!(err, TrySendError::Send(SendError::Encode(_))));
    a.send(&(vec![], Even(2))).unwrap();
    assert_eq!(b.recv_bytes().unwrap(), [0, 2]);
}

/// Sends on a connection of its own whenever it is sent.
struct Telling(Connection<u8, ()>, RefCell<u8>);

impl Serialize for Telling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        *self.1.borrow_mut() += 1;
        self.0.send(&self.1.borrow()).map_err(S::Error::custom)?;
        serializer.serialize_str("sent")
    }
}

#[test]
fn send_inside_a_send_is_a_message_of_its_own() {
    let (inner, told) = pipe::<u8, ()>().unwrap();
    let (a, b) = pipe::<(u8, Telling, u8), ()>().unwrap();
    a.send(&(1, Telling(inner, RefCell::new(41)), 2)).unwrap();
    assert_eq!(told.recv().unwrap(), 42);
    assert_eq!(b.recv_bytes().unwrap(), b"\x01\x04sent\x02");
}

#[test]
fn full_pipe_refuses_and_takes_again_once_it_was_read() {
    let (rx, tx) = simplex::<[u64; 16]>().unwrap();
    let value = [u64::MAX; 16];
    let mut sent = 0;
    let err = loop {
        match tx.try_send(&value) {
            Ok(()) => sent += 1,
            Err(err) => break err,
        }
    };
    assert!(matches!(err, TrySendError::Full));
    for _ in 0..sent {
        assert_eq!(rx.recv().unwrap(), value);
    }
    assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));
    tx.try_send(&value).unwrap();
}

#[test]
fn ends_need_nothing_of_their_types_to_cross_threads_and_to_be_shown() {
    fn check<T: Send + Sync + std::fmt::Debug>() {}
    struct Local(#[expect(dead_code, reason = "makes the type neither Send nor Sync")] *const u8);
    check::<Connection<Local, Local>>();
    check::<multiproc_connection::Receiver<Local>>();
    check::<multiproc_connection::Sender<Local>>();
}
