//! Whatever the bytes say, reading a pickle takes memory in proportion to their number.
//!
//! A binary of its own, because it counts every allocation.

use multiproc_wire::pickle::{self, Globals, Limits, Object, Protocol};
use proptest::{prelude::*, sample::Index};

#[path = "../support/counting.rs"]
mod counting;

use counting::measure;

fn peak_of<R>(f: impl FnOnce() -> R) -> isize {
    measure(f).0
}

/// What may be shared, beside what the pickle's own size allows.
const SHARED: Limits = Limits { depth: 512, nodes: 100, bytes: 1000, globals: Globals::Any };

fn assert_bounded(bytes: &[u8]) {
    let peak = peak_of(|| pickle::decode_with(bytes, SHARED));
    // A node is 40 bytes, thrice that while its table grows; an instance beside it has as much
    // again in each pass. The constant is for small tables and the error.
    let bound = 320 * (bytes.len() + SHARED.nodes) + SHARED.bytes + 4096;
    assert!(
        peak <= bound.cast_signed(),
        "{peak} bytes for {} of input, bound {bound}",
        bytes.len()
    );
}

fn object() -> impl Strategy<Value = Object> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Object::from),
        ".{0,20}".prop_map(Object::from),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Object::Bytes),
        Just(Object::exception("KeyError", [])),
    ];
    leaf.prop_recursive(6, 60, 5, |inner| {
        let items = prop::collection::vec(inner, 0..6);
        prop_oneof![
            items.clone().prop_map(Object::List),
            items.clone().prop_map(Object::Tuple),
            items.prop_map(|items| {
                Object::Dict(items.into_iter().enumerate().map(|(i, x)| (i.into(), x)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn broken_bytes_are_bounded(
        object in object(),
        flips in prop::collection::vec((any::<Index>(), any::<u8>()), 0..5),
        cut in any::<Index>(),
        protocol in prop::sample::select(vec![Protocol::V2, Protocol::V3, Protocol::V4, Protocol::V5]),
    ) {
        let mut bytes = pickle::encode(&object, protocol).unwrap();
        assert_bounded(&bytes);
        for (place, byte) in flips {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        assert_bounded(&bytes);
    }

    #[test]
    fn random_bytes_are_bounded(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        assert_bounded(&bytes);
    }

    #[test]
    fn repeated_opcodes_are_bounded(
        start in prop::sample::select(vec![&b"N"[..], b"]", b"(", b"ca\nB\n)R", b"ca\nB\nN\x85q\x010q\x00h\x01"]),
        parts in prop::collection::vec(prop::sample::select(vec![
            &b"]"[..], b"}", b")", b"(", b"\x85", b"2", b"h\0", b"h\x01", b"R", b"\x81", b"a", b"b",
            b"(e", b"t", b"l", b"\x8f", b"\x94", b"q\0", b"r\xff\xff\xff\xff", b"ca\nB\n",
        ]), 1..4),
        times in 0..3000_usize,
    ) {
        assert_bounded(&[start, &parts.concat().repeat(times), b"."].concat());
        assert_bounded(&[b"(", start, &parts.concat().repeat(times), b"t."].concat());
    }
}

#[test]
fn claimed_length_allocates_nothing() {
    for bytes in
        [&b"\x8b\xff\xff\xff\x7fx."[..], b"X\xff\xff\xff\xffx.", b"\x96\0\0\0\0\0\xff\0\0x."]
    {
        assert!(peak_of(|| pickle::decode(bytes)) < 200, "no more than the error");
    }
    // Nor does a large number in the memo.
    assert!(peak_of(|| pickle::decode(b"Nr\xff\xff\xff\xff.")) < 1000);
}

#[test]
fn billion_laughs_take_no_more_than_they_may() {
    let mut bytes = b"\x80\x04(]\x94".to_vec();
    for level in 0..100 {
        bytes.extend([b'(', b'h', level, b'h', level, b'l', 0x94]);
    }
    bytes.extend(b"t.");
    assert_bounded(&bytes);

    // By default, a million values more: 32 bytes each, and a list of four around every two.
    let peak = peak_of(|| pickle::decode(&bytes));
    assert!(peak < 1 << 27, "{peak}");
}

#[test]
fn object_passes_serde_without_being_written() {
    let object = Object::List(vec![Object::Bytes(vec![7; 1 << 20])]);
    let copying = peak_of(|| pickle::to_object(&object).unwrap());
    assert!((1 << 20..(1 << 20) + 4096).contains(&copying), "one copy, not {copying} bytes");
    let copy = object.clone();
    assert!(peak_of(|| pickle::from_object::<Object>(copy).unwrap()) < 4096);
}

#[test]
fn latin_1_in_the_oldest_protocols_is_counted() {
    let mut bytes = b"(c_codecs\nencode\nX\x00\x04\0\0".to_vec();
    bytes.extend([b'x'; 1024]);
    bytes.extend(b"X\x06\0\0\0latin1\x86q\x00R");
    for _ in 0..1000 {
        bytes.extend(b"c_codecs\nencode\nh\x00R");
    }
    bytes.extend(b"t.");
    assert_bounded(&bytes);
}
