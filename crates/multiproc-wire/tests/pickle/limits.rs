//! Depth, number and size are bounded.

use std::thread;

use multiproc_wire::pickle::{
    self, Limits, Object, ObjectErrorKind, PickleErrorKind, Protocol, decode, decode_with,
};

use crate::round_trip::PROTOCOLS;

fn deep(levels: usize) -> Object {
    (0..levels).fold(Object::None, |object, level| match level % 5 {
        0 => Object::List(vec![object]),
        1 => Object::Tuple(vec![object]),
        2 => Object::from([("key", object)]),
        3 => Object::exception("ValueError", [object]),
        _ => Object::token(object, (), ()),
    })
}

fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    // Half of what a thread has otherwise; in an unoptimised build, as this one is.
    thread::Builder::new().stack_size(1 << 20).spawn(f).unwrap().join().unwrap();
}

#[test]
fn as_deep_as_allowed_passes_and_one_deeper_is_refused_by_both_sides() {
    on_a_small_stack(|| {
        for protocol in PROTOCOLS {
            // 85 tokens are two levels each, themselves and their state.
            let object = Object::List(vec![deep(426)]);
            let bytes = pickle::encode(&object, protocol).unwrap();
            let copy = decode(&bytes).unwrap();
            assert!(copy == object && copy.clone().to_string() == object.to_string());

            let err = pickle::encode(&Object::List(vec![object]), protocol);
            assert_eq!(*err.unwrap_err().kind(), ObjectErrorKind::TooDeep { limit: 512 });
        }
        let nested = |levels| [vec![b']'; levels], vec![b'a'; levels - 1], b".".to_vec()].concat();
        assert!(decode(&nested(512)).is_ok());
        let limits = Limits { depth: usize::MAX, ..Limits::DEFAULT };
        for limits in [limits, Limits::DEFAULT] {
            let err = decode_with(&nested(513), limits).unwrap_err();
            assert_eq!(*err.kind(), PickleErrorKind::TooDeep { limit: 512 });
            let err = decode_with(&nested(1 << 20), limits).unwrap_err();
            assert_eq!(*err.kind(), PickleErrorKind::TooDeep { limit: 512 });
        }
    });
}

#[test]
fn deep_values_are_dropped_on_a_small_stack() {
    let bytes = [vec![b']'; 512], vec![b'a'; 511], b".".to_vec()].concat();
    let object = decode(&bytes).unwrap();
    let thread = thread::Builder::new().stack_size(1 << 18).spawn(move || drop(object));
    thread.unwrap().join().unwrap();
}

#[test]
fn every_way_down_is_counted() {
    on_a_small_stack(|| {
        let many = 1 << 16;
        let ways: [(&[u8], &[u8], &[u8]); 9] = [
            (b"", b"N", b"\x85"),
            (b"", b"N", b"\x85\x85"),
            (b"(", b"N", b"t"),
            (b"}N", b"N", b"s"),
            (b"(", b"N", b"\x91"),
            (b"cbuiltins\nKeyError\n", b"N", b"\x85R"),
            (b"cbuiltins\nKeyError\n)R", b"}", b"b"),
            (b"cbuiltins\nset\n", b")", b"\x85R"),
            (b"cbuiltins\nbytearray\n", b"C\x01x", b"\x85R"),
        ];
        for (open, middle, close) in ways {
            let bytes = [open.repeat(many), middle.to_vec(), close.repeat(many), b".".to_vec()];
            let err = decode(&bytes.concat()).unwrap_err();
            let refused = matches!(
                err.kind(),
                PickleErrorKind::TooDeep { limit: 512 }
                    | PickleErrorKind::Global { verb: "called like this", .. }
                    | PickleErrorKind::WrongType { .. }
            );
            assert!(refused, "{open:?}: {:?}", err.kind());
        }
    });
}

/// Returns a pickle of a few bytes whose value doubles that many times.
fn laughs(times: u8, open: &[u8], close: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x80\x04(\x8c\x03lol\x94".to_vec();
    for level in 0..times {
        bytes.extend_from_slice(open);
        bytes.extend([b'h', level, b'h', level]);
        bytes.extend_from_slice(close);
        bytes.push(0x94);
    }
    bytes.extend(b"t.");
    bytes
}

#[test]
fn billion_laughs_are_refused() {
    let ways: [(&[u8], &[u8]); 5] =
        [(b"", b"\x86"), (b"(", b"l"), (b"(", b"t"), (b"(", b"\x91"), (b"(K\x01", b"K\x02l")];
    for (open, close) in ways {
        assert!(decode(&laughs(3, open, close)).is_ok());
        let err = decode(&laughs(100, open, close)).unwrap_err();
        assert!(matches!(err.kind(), PickleErrorKind::TooManyNodes { .. }), "{err:?}");
    }
}

#[test]
fn long_texts_that_are_shared_too_often_are_refused() {
    let text = "x".repeat(1 << 20);
    let start = pickle::encode(&text.into(), Protocol::V4).unwrap();
    let shared = |times: usize| {
        let mut bytes = start.clone();
        bytes.pop();
        [bytes, b"\x94(".to_vec(), b"h\0".repeat(times), b"t\x86.".to_vec()].concat()
    };
    let object = decode(&shared(60)).unwrap();
    assert_eq!(object.as_tuple().unwrap()[1].as_tuple().unwrap().len(), 60);
    let err = decode(&shared(100)).unwrap_err();
    assert!(matches!(err.kind(), PickleErrorKind::TooManyBytes { .. }));

    // However long the text, a byte for each fetch is far too little.
    let limits = Limits { bytes: 0, ..Limits::DEFAULT };
    assert!(decode_with(&shared(60), limits).is_err());
    assert!(decode_with(&shared(10), limits).is_ok());
}

#[test]
fn honest_values_need_no_allowance() {
    let limits = Limits { nodes: 0, bytes: 0, ..Limits::DEFAULT };
    let record = |index: i64| Object::from([("name", Object::from(index)), ("x", Object::None)]);
    let objects = [
        Object::List((0..5000).map(record).collect()),
        Object::Tuple(vec![Object::None; 5000]),
        Object::Bytes(vec![200; 5000]),
        Object::from("é".repeat(5000)),
    ];
    for object in objects {
        for protocol in PROTOCOLS {
            let bytes = pickle::encode(&object, protocol).unwrap();
            assert!(decode_with(&bytes, limits).unwrap() == object);
        }
    }
}

#[test]
fn length_beyond_the_end_is_refused() {
    for (opcode, width) in
        [(0x8b, 4), (b'X', 4), (b'B', 4), (b'T', 4), (0x8d, 8), (0x8e, 8), (0x96, 8)]
    {
        let mut bytes = vec![0x80, 5, opcode];
        bytes.extend(&(0x7fff_ffff_u64 << (8 * (width - 4))).to_le_bytes()[..width]);
        bytes.extend(b"abc.");
        assert_eq!(*decode(&bytes).unwrap_err().kind(), PickleErrorKind::Truncated);
    }
}
