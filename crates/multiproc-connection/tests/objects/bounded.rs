//! What one message may ask for.

use multiproc_connection::RecvError;
use multiproc_wire::pickle::{Object, PickleErrorKind};

use crate::transports;

/// A pickle of a few bytes whose value doubles that many times.
fn laughs(times: u8) -> Vec<u8> {
    let mut bytes = b"\x80\x04(]\x94".to_vec();
    for level in 0..times {
        bytes.extend([b'h', level, b'h', level, b'\x86', b'\x94']);
    }
    bytes.extend(b"t.");
    bytes
}

fn refusal(result: Result<Object, RecvError>) -> PickleErrorKind {
    match result {
        Err(RecvError::Pickle(err)) => err.kind().clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn shared_values_are_counted() {
    for (a, b) in transports() {
        a.send_bytes(&laughs(100)).unwrap();
        let kind = refusal(b.recv_object());
        let limit = (1 << 20) + laughs(100).len();
        assert_eq!(kind, PickleErrorKind::TooManyNodes { limit });
        a.send_bytes(&laughs(3)).unwrap();
        assert!(b.recv_object::<Object>().is_ok());
    }
}

#[test]
fn limit_of_the_connection_also_bounds_what_a_message_becomes() {
    for (a, b) in transports() {
        let b = b.max_message(300);
        a.send_bytes(&laughs(10)).unwrap();
        let kind = refusal(b.recv_object());
        assert_eq!(kind, PickleErrorKind::TooManyNodes { limit: 300 + laughs(10).len() });

        // One text of a hundred bytes, often.
        let text = [b"\x8c\x64", &[b'x'; 100][..], b"\x94"].concat();
        let bytes = [b"(", &text[..], &b"h\0".repeat(80), b"t."].concat();
        a.send_bytes(&bytes).unwrap();
        let kind = refusal(b.recv_object());
        assert_eq!(kind, PickleErrorKind::TooManyBytes { limit: 300 + 16 * bytes.len() });

        // Values that share nothing need no more than their bytes.
        let honest = Object::List(vec![Object::None; 280]);
        a.send_object(&honest).unwrap();
        assert!(b.recv_object::<Object>().unwrap() == honest);
    }
}

#[test]
fn message_beyond_the_limit_is_not_read() {
    let [pipe, unix, tcp] = transports();
    for (index, (a, b)) in [pipe, unix, tcp].into_iter().enumerate() {
        let b = b.max_message(100);
        a.send_object(&"x".repeat(200)).unwrap();
        a.send_object("short").unwrap();
        let err = b.recv_object::<String>().unwrap_err();
        assert!(matches!(err, RecvError::TooLong { limit: 100, .. }), "{err:?}");
        match b.recv_object::<String>() {
            Ok(text) => assert!(index == 0 && text == "short", "a pipe goes on"),
            Err(err) => assert!(index != 0 && matches!(err, RecvError::Lost), "{err:?}"),
        }
    }
}
