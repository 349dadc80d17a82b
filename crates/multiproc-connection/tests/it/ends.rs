//! What the end of one end means at the other.

use std::{
    os::fd::{AsFd, OwnedFd},
    thread,
};

use multiproc_connection::{Connection, TryRecvError, pipe, simplex};

// parity: connection.eof-after-peer-close
#[test]
fn what_was_sent_before_the_end_can_be_received() {
    let (a, b) = pipe::<u8, u8>().unwrap();
    a.send(&1).unwrap();
    a.send(&2).unwrap();
    a.close();
    assert_eq!(b.recv().unwrap(), 1);
    assert_eq!(b.recv().unwrap(), 2);
    assert!(b.recv().unwrap_err().is_closed());
    assert!(b.recv_bytes().unwrap_err().is_closed());
    assert!(b.try_recv().unwrap_err().is_closed());
    assert!(b.send(&1).unwrap_err().is_closed());
    assert!(b.try_send(&1).unwrap_err().is_closed());
}

#[test]
fn messages_left_unread_by_a_closed_peer_hide_nothing_of_its_own() {
    let (a, b) = pipe::<u8, u8>().unwrap();
    b.send(&9).unwrap();
    a.send(&1).unwrap();
    a.send(&2).unwrap();
    // The system now reports "connection reset" once, before it hands out what is there.
    drop(a);
    assert_eq!(b.recv().unwrap(), 1);
    assert_eq!(b.try_recv().unwrap(), 2);
    assert!(b.recv().unwrap_err().is_closed());

    let (a, b) = pipe::<u8, u8>().unwrap();
    b.send(&9).unwrap();
    drop(a);
    assert!(b.send(&9).unwrap_err().is_closed());
    assert!(b.try_recv().unwrap_err().is_closed());
}

// parity: connection.dropped-closes
#[test]
fn end_is_seen_only_when_the_last_copy_is_closed() {
    let (a, b) = pipe::<Connection<u8>, Connection<u8>>().unwrap();
    let (ours, theirs) = pipe::<u8, u8>().unwrap();
    a.send(&theirs).unwrap();
    drop(theirs);
    assert!(matches!(ours.try_recv(), Err(TryRecvError::Empty)), "one copy is under way");
    let received = b.recv().unwrap();
    assert!(matches!(ours.try_recv(), Err(TryRecvError::Empty)), "one copy was received");
    drop(received);
    assert!(ours.recv().unwrap_err().is_closed());
}

#[test]
fn end_lost_in_an_unread_message_is_closed_with_the_pipe() {
    let (a, b) = pipe::<Connection<u8>, ()>().unwrap();
    let (ours, theirs) = pipe::<u8, u8>().unwrap();
    a.send(&theirs).unwrap();
    drop((theirs, b));
    assert!(ours.recv().unwrap_err().is_closed());
}

#[test]
fn sender_that_waits_for_room_is_woken_by_the_end() {
    let (rx, tx) = simplex::<[u64; 16]>().unwrap();
    let sending = thread::spawn(move || {
        loop {
            if let Err(err) = tx.send(&[1; 16]) {
                break err;
            }
        }
    });
    // Once something is there the sender is at work, and nobody will take more.
    rx.recv().unwrap();
    drop(rx);
    assert!(sending.join().unwrap().is_closed());
}

// parity: connection.simplex-directions, connection.simplex-wrong-direction
#[test]
fn halves_refuse_the_wrong_direction_at_the_socket_too() {
    let (rx, tx) = simplex::<u8>().unwrap();
    let dup = |fd: &dyn AsFd| fd.as_fd().try_clone_to_owned().unwrap();
    let rx_as_both = Connection::<u8, u8>::from(dup(&rx));
    let tx_as_both = Connection::<u8, u8>::from(dup(&tx));
    assert!(rx_as_both.send(&1).unwrap_err().is_closed());
    assert!(tx_as_both.recv().unwrap_err().is_closed());
    tx.send(&5).unwrap();
    assert_eq!(rx.recv().unwrap(), 5);
}

// parity: connection.bad-handle
#[test]
fn descriptor_that_is_no_pipe_is_an_error() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let connection = Connection::<u8>::from(OwnedFd::from(file));
    assert!(!connection.send(&1).unwrap_err().is_closed());
    assert!(!connection.recv().unwrap_err().is_closed());
    assert!(!connection.try_recv().unwrap_err().is_closed());
}
