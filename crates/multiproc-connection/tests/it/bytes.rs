//! Raw messages of every length.

use std::{thread, time::Duration};

use multiproc_connection::{RecvError, pipe, simplex};

#[test]
fn every_length_arrives_as_one_message() {
    let (a, b) = pipe::<(), ()>().unwrap();
    for len in [0, 1, 100, 0xffff, 0x1_0000, 0x1_0001, 16 << 20] {
        let sent: Vec<u8> = (0..len).map(|n: usize| (n % 251) as u8).collect();
        a.send_bytes(&sent).unwrap();
        assert!(b.recv_bytes().unwrap() == sent, "{len} bytes");
    }
}

#[test]
fn large_message_needs_no_reader() {
    let (a, b) = pipe::<Vec<u8>, ()>().unwrap();
    let value: Vec<u8> = (0..8 << 20).map(|n: u32| n as u8).collect();
    a.send(&value).unwrap();
    a.try_send(&value).unwrap();
    assert!(b.recv().unwrap() == value);
    assert!(b.try_recv().unwrap() == value);
}

// parity: connection.messages-not-merged
#[test]
fn messages_are_not_merged() {
    let (rx, tx) = simplex::<()>().unwrap();
    for message in ["a", "", "b", "cd", ""] {
        tx.send_bytes(message.as_bytes()).unwrap();
    }
    drop(tx);
    for message in ["a", "", "b", "cd", ""] {
        assert!(rx.poll(None).unwrap() && rx.poll(Duration::ZERO).unwrap());
        assert_eq!(rx.recv_bytes().unwrap(), message.as_bytes());
    }
    assert!(rx.recv_bytes().unwrap_err().is_closed());
}

// parity: connection.recv-into-whole, connection.recv-into-offset
#[test]
fn receiving_into_a_buffer_leaves_its_rest_untouched() {
    let (a, b) = pipe::<(), ()>().unwrap();
    let mut buffer = [b'.'; 10];
    a.send_bytes(b"abcd").unwrap();
    assert_eq!(b.recv_bytes_into(&mut buffer[3..]).unwrap(), 4);
    assert_eq!(&buffer, b"...abcd...");
    a.send_bytes(b"0123456789").unwrap();
    assert_eq!(b.recv_bytes_into(&mut buffer).unwrap(), 10);
    a.send_bytes(b"").unwrap();
    assert_eq!(b.recv_bytes_into(&mut []).unwrap(), 0);

    // Four ints into room for ten, from the front and from the fourth on.
    let ints: Vec<u8> = [1i32, 2, 3, 4].into_iter().flat_map(i32::to_ne_bytes).collect();
    for offset in [0, 12] {
        let mut buffer = [0xee; 40];
        a.send_bytes(&ints).unwrap();
        assert_eq!(b.recv_bytes_into(&mut buffer[offset..]).unwrap(), 16);
        assert_eq!(buffer[offset..offset + 16], ints);
        assert!(buffer[..offset].iter().chain(&buffer[offset + 16..]).all(|byte| *byte == 0xee));
    }
}

// parity: connection.recv-into-too-short
#[test]
fn message_too_long_for_the_buffer_is_handed_back() {
    let (a, b) = pipe::<(), ()>().unwrap();
    for len in [110, 1 << 20] {
        let sent = vec![3; len];
        a.send_bytes(&sent).unwrap();
        let mut buffer = [b'.'; 40];
        match b.recv_bytes_into(&mut buffer).unwrap_err() {
            RecvError::BufferTooShort { message, capacity } => {
                assert!(message == sent);
                assert_eq!(capacity, 40);
            }
            err => panic!("{err:?}"),
        }
        assert_eq!(buffer, [b'.'; 40]);
    }
    a.send_bytes(b"next").unwrap();
    assert_eq!(b.recv_bytes().unwrap(), b"next");
}

#[test]
fn returned_messages_do_not_hold_the_buffer_they_came_through() {
    let (a, b) = pipe::<(), ()>().unwrap();
    a.send_bytes(b"short").unwrap();
    assert!(b.recv_bytes().unwrap().capacity() < 100);
}

#[test]
fn echo_of_many_messages() {
    let (a, b) = pipe::<(), ()>().unwrap();
    let echo = thread::spawn(move || {
        while let Ok(message) = b.recv_bytes() {
            b.send_bytes(&message).unwrap();
        }
    });
    for len in 0..300 {
        let sent = vec![len as u8; len * 100];
        a.send_bytes(&sent).unwrap();
        assert_eq!(a.recv_bytes().unwrap(), sent);
    }
    drop(a);
    echo.join().unwrap();
}
