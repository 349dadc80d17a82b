//! What goes in comes out.

use std::{collections::BTreeMap, fs::File, thread, time::Duration};

use multiproc_connection::{
    RecvTimeoutError, SendError, TryRecvError, TrySendError, pipe, simplex, wait,
};
use multiproc_wire::{
    Fd,
    pickle::{self, BigInt, Exception, Global, Object, ObjectErrorKind},
};
use serde::{Deserialize, Serialize};

use crate::{transports, watchdog};

/// One of each kind, small and large.
fn zoo() -> Vec<Object> {
    let big = |digits: &str| Object::from(digits.parse::<BigInt>().unwrap());
    let nested = (0..100).fold(Object::None, |object, _| Object::List(vec![object]));
    vec![
        Object::None,
        true.into(),
        0.into(),
        i64::MIN.into(),
        u64::MAX.into(),
        big(&"9".repeat(4000)),
        big("-170141183460469231731687303715884105729"),
        0.1.into(),
        f64::NEG_INFINITY.into(),
        "".into(),
        "h\u{e9}llo \u{1f600}\0".into(),
        Object::Surrogates(b"a\xed\xb2\x80b".to_vec()),
        Object::Bytes((0..=255).collect()),
        Object::ByteArray(vec![7; 70_000]),
        Object::List((0..3000).map(Object::from).collect()),
        (1, "two", 3.0).into(),
        Object::Tuple(vec![]),
        Object::from([("a", Object::from((1, "x"))), ("b", Object::None)]),
        Object::Set(vec![1.into(), "x".into(), (1, 2).into()]),
        Object::FrozenSet(vec![Object::FrozenSet(vec![]), ().into()]),
        nested,
        Object::exception("OSError", [2.into(), "no such file".into()]),
        Exception::new(Global::new("queue", "Empty"), []).into(),
        Exception::new(Global::new("queue", "Full"), []).into(),
        Exception::new(
            Global::new("multiprocessing.managers", "RemoteError"),
            ["Traceback".into()],
        )
        .into(),
        Object::token("list", ("127.0.0.1", 5000), "7f00"),
        Global::new("builtins", "int").into(),
        Global::new("builtins", "KeyError").into(),
    ]
}

#[test]
fn every_kind_of_object_comes_back() {
    for (a, b) in transports() {
        let echo = thread::spawn(move || {
            while let Ok(object) = b.recv_object::<Object>() {
                b.send_object(&object).unwrap();
            }
        });
        for object in zoo() {
            a.send_object(&object).unwrap();
            assert!(a.recv_object::<Object>().unwrap() == object, "{object}");
        }
        drop(a);
        echo.join().unwrap();
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Circle { radius: f64 },
    Path(Vec<(i32, i32)>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Drawing {
    name: String,
    scale: Option<i128>,
    shapes: Vec<Shape>,
    extra: BTreeMap<String, Object>,
}

#[test]
fn values_that_serde_knows_come_back() {
    let drawing = Drawing {
        name: "first".to_owned(),
        scale: Some(i128::MIN),
        shapes: vec![
            Shape::Nothing,
            Shape::Circle { radius: 0.5 },
            Shape::Path(vec![(1, 2), (-3, 4)]),
        ],
        extra: [("set".to_owned(), Object::Set(vec![1.into()]))].into(),
    };
    for (a, b) in transports() {
        a.send_object(&drawing).unwrap();
        assert_eq!(b.recv_object::<Drawing>().unwrap(), drawing);
        // What is not sized can be sent, too.
        a.send_object("text").unwrap();
        a.send_object(&[1u8, 2][..]).unwrap();
        assert_eq!(b.recv_object::<String>().unwrap(), "text");
        assert_eq!(b.recv_object::<[u8; 2]>().unwrap(), [1, 2]);
    }
}

#[test]
fn message_is_one_pickle_as_python_frames_it() {
    for (a, b) in transports() {
        a.send_object(&7).unwrap();
        assert_eq!(b.recv_bytes().unwrap(), b"\x80\x04K\x07.");
        // And every protocol is read.
        for bytes in [&b"I7\n."[..], b"\x80\x02K\x07.", b"\x80\x03K\x07.", b"\x80\x05K\x07."] {
            a.send_bytes(bytes).unwrap();
            assert_eq!(b.recv_object::<u8>().unwrap(), 7);
        }
    }
}

#[test]
fn objects_values_and_bytes_follow_each_other() {
    let (a, b) = pipe::<String, ()>().unwrap();
    a.send_object(&1).unwrap();
    a.send(&"two".to_owned()).unwrap();
    a.send_bytes(b"three").unwrap();
    a.send_object(&4).unwrap();
    assert_eq!(b.recv_object::<u8>().unwrap(), 1);
    assert_eq!(b.recv().unwrap(), "two");
    assert_eq!(b.recv_bytes().unwrap(), b"three");
    assert_eq!(b.recv_object::<u8>().unwrap(), 4);
}

#[test]
fn large_object_comes_back() {
    let large = Object::Bytes((0..64 << 20).map(|n: usize| (n % 251) as u8).collect());
    for (a, b) in transports() {
        let echo =
            thread::spawn(move || b.send_object(&b.recv_object::<Object>().unwrap()).unwrap());
        a.send_object(&large).unwrap();
        assert!(a.recv_object::<Object>().unwrap() == large);
        echo.join().unwrap();
    }
}

#[test]
fn calls_that_do_not_wait_say_so() {
    for (a, b) in transports() {
        assert!(matches!(b.try_recv_object::<u8>(), Err(TryRecvError::Empty)));
        let soon = Duration::from_millis(1);
        assert!(matches!(b.recv_object_timeout::<u8>(soon), Err(RecvTimeoutError::Timeout)));
        a.try_send_object(&1).unwrap();
        assert_eq!(wait(&[&b], None).unwrap(), [0]);
        assert_eq!(b.try_recv_object::<u8>().unwrap(), 1);
        a.send_object(&2).unwrap();
        assert_eq!(b.recv_object_timeout::<u8>(Duration::MAX).unwrap(), 2);

        drop(a);
        while b.recv_object::<u32>().is_ok() {}
        assert!(b.recv_object::<u32>().unwrap_err().is_closed());
        assert!(b.try_recv_object::<u32>().unwrap_err().is_closed());
        assert!(b.recv_object_timeout::<u32>(soon).unwrap_err().is_closed());
        // A TCP end may take one more before it learns of it.
        let closed = (0..).find_map(|number: u32| b.send_object(&number).err());
        assert!(closed.unwrap().is_closed());
    }
}

#[test]
fn full_pipe_takes_no_more_objects() {
    watchdog::watch();
    let (a, b) = pipe::<(), ()>().unwrap();
    let full = (0..).find_map(|number: u32| a.try_send_object(&number).err());
    assert!(matches!(full, Some(TrySendError::Full)), "{full:?}");
    assert_eq!(b.recv_object::<u32>().unwrap(), 0);
    a.try_send_object("again").unwrap();
}

#[test]
fn one_way_pipe_carries_objects() {
    watchdog::watch();
    let (rx, tx) = simplex::<()>().unwrap();
    assert!(matches!(rx.try_recv_object::<u8>(), Err(TryRecvError::Empty)));
    tx.send_object(&(1, "x")).unwrap();
    tx.try_send_object(&Object::None).unwrap();
    assert_eq!(rx.recv_object::<Object>().unwrap(), (1, "x").into());
    assert_eq!(rx.recv_object_timeout::<Option<u8>>(Duration::MAX).unwrap(), None);
}

#[test]
fn value_that_cannot_be_pickled_sends_nothing() {
    for (a, b) in transports() {
        let deep = (0..513).fold(Object::None, |object, _| Object::Tuple(vec![object]));
        let Err(SendError::Pickle(err)) = a.send_object(&deep) else { panic!() };
        assert_eq!(*err.kind(), ObjectErrorKind::TooDeep { limit: 512 });

        let set = Object::Set(vec![Object::List(vec![])]);
        let Err(TrySendError::Send(SendError::Pickle(err))) = a.try_send_object(&set) else {
            panic!()
        };
        assert_eq!(err.kind().to_string(), "unhashable type: 'list'");

        let err = a.send_object(&Fd(File::open("/dev/null").unwrap())).unwrap_err();
        assert!(matches!(err, SendError::Pickle(_)), "handles do not travel so: {err:?}");

        a.send_object("next").unwrap();
        assert_eq!(b.recv_object::<String>().unwrap(), "next");
    }
}

#[test]
fn value_may_send_while_it_is_pickled() {
    struct Chatty<'a>(&'a crate::End);
    impl Serialize for Chatty<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.send_object(&Object::from("inner")).unwrap();
            serializer.serialize_str("outer")
        }
    }
    for (a, b) in transports() {
        a.send_object(&Chatty(&a)).unwrap();
        assert_eq!(b.recv_object::<String>().unwrap(), "inner");
        assert_eq!(b.recv_object::<String>().unwrap(), "outer");
    }
}

#[test]
fn what_was_received_is_read_in_steps_if_wished() {
    let (a, b) = pipe::<(), ()>().unwrap();
    a.send_object(&[("kind", "circle")].into_iter().collect::<BTreeMap<_, _>>()).unwrap();
    let object: Object = b.recv_object().unwrap();
    assert_eq!(object.get("kind").and_then(Object::as_str), Some("circle"));
    let map: BTreeMap<String, String> = pickle::from_object(object).unwrap();
    assert_eq!(map["kind"], "circle");
}
