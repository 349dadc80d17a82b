//! A failed call leaves everything as it was.

use std::{cell::RefCell, panic, thread};

use multiproc_wire::{
    DecodeErrorKind, EncodeErrorKind, Handle, Message, decode, encode, encode_into,
};
use serde::{Serialize, Serializer, ser::Error as _};

use crate::handles::null;

/// A value that does with its transfer what it wants.
struct Custom<F>(F);

impl<F: Fn() -> Result<(), String>> Serialize for Custom<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0().map_err(S::Error::custom)?;
        serializer.serialize_unit()
    }
}

#[test]
fn failed_encode_leaves_the_buffers_as_they_were() {
    let (mut bytes, mut handles) = (b"before".to_vec(), vec![null()]);
    let value = ("some bytes", null(), Custom(|| Err("no".to_owned())));
    let err = encode_into(&value, &mut bytes, &mut handles).unwrap_err();
    assert_eq!(*err.kind(), EncodeErrorKind::Custom("no".to_owned()));
    assert_eq!(bytes, b"before");
    assert_eq!(handles.len(), 1);
}

#[test]
fn panic_inside_an_encode_leaves_the_buffers_and_the_transfer_as_they_were() {
    let (mut bytes, mut handles) = (b"before".to_vec(), vec![null()]);
    let value = ("some bytes", null(), Custom(|| panic::resume_unwind(Box::new("oh"))));
    let caught = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        encode_into(&value, &mut bytes, &mut handles)
    }));
    assert_eq!(*caught.unwrap_err().downcast::<&str>().unwrap(), "oh");
    assert_eq!(bytes, b"before");
    assert_eq!(handles.len(), 1);
    assert!(serde_json::to_string(&null()).is_err(), "no transfer is left open");
}

#[test]
fn encode_inside_an_encode_is_a_message_of_its_own() {
    let inner = RefCell::new(Message::default());
    let nested = Custom(|| {
        *inner.borrow_mut() = encode(&(null(), null(), null())).map_err(|err| err.to_string())?;
        Ok(())
    });
    let outer = encode(&(null(), nested, null())).unwrap();
    assert_eq!(outer.bytes, [0, 1]);
    assert_eq!(outer.handles.len(), 2);
    assert_eq!(inner.borrow().bytes, [0, 1, 2]);
    assert_eq!(inner.borrow().handles.len(), 3);
}

#[test]
fn message_inside_a_message_keeps_its_handles_and_may_fail_alone() {
    let good = encode(&(null(), 5u8)).unwrap();
    let bad = encode(&7u8).unwrap();
    let frame = encode(&(null(), bad, good)).unwrap();
    assert_eq!(frame.handles.len(), 2);

    let (_, bad, good): (Handle, Message, Message) = frame.decode().unwrap();
    assert_eq!(
        *bad.decode::<bool>().unwrap_err().kind(),
        DecodeErrorKind::Invalid { what: "bool" }
    );
    assert_eq!(good.decode::<(Handle, u8)>().unwrap().1, 5);
}

#[test]
fn types_that_need_a_self_describing_format_are_told_so() {
    #[derive(Debug, serde::Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        #[expect(dead_code, reason = "is never made: that it cannot be is the point")]
        Number(u8),
    }
    let err = decode::<Untagged>(&[1], vec![]).unwrap_err();
    assert_eq!(*err.kind(), DecodeErrorKind::NotSelfDescribing);
}

#[test]
fn transfer_works_or_says_no_while_the_thread_ends() {
    struct AtExit(std::sync::mpsc::Sender<[bool; 4]>);
    impl Drop for AtExit {
        fn drop(&mut self) {
            let plain = encode(&(1u8, "x"));
            let handle = encode(&null());
            let decoded = decode::<Handle>(&[0], vec![null().into_owned().unwrap()]);
            let number = decode::<u8>(&[1], vec![]);
            let outcome = [plain.is_ok(), handle.is_ok(), decoded.is_ok(), number.is_ok()];
            self.0.send(outcome).unwrap();
        }
    }
    thread_local! {
        static FIRST: RefCell<Option<AtExit>> = const { RefCell::new(None) };
        static LAST: RefCell<Option<AtExit>> = const { RefCell::new(None) };
    }

    // One local is registered before the transfer's own and one after it, so that one of the two
    // outlives it, whichever way the platform goes.
    let (tx, rx) = std::sync::mpsc::channel();
    let ending = thread::spawn(move || {
        FIRST.with(|first| *first.borrow_mut() = Some(AtExit(tx.clone())));
        encode(&null()).unwrap();
        LAST.with(|last| *last.borrow_mut() = Some(AtExit(tx)));
    });
    ending.join().unwrap();
    let mut outcomes: Vec<_> = rx.iter().collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, [[true, false, false, true], [true; 4]]);
}
