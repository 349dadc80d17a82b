//! Broken bytes end in an error or a value, never in a panic.

use multiproc_wire::pickle::{self, Globals, Limits, Object, PickleErrorKind, Protocol};
use proptest::{prelude::*, sample::Index};

use crate::{round_trip::PROTOCOLS, zoo};

const ANY: Limits = Limits { globals: Globals::Any, nodes: 1 << 12, bytes: 1 << 16, depth: 512 };

/// Reads bytes, and does with the value, if it is one, all that can be done.
fn survive(bytes: &[u8]) -> Result<(), TestCaseError> {
    match pickle::decode_with(bytes, ANY) {
        Ok(object) => {
            object.to_string();
            // Calls of classes that we know can be read in ways they are never written.
            if let Ok(again) = pickle::encode(&object, Protocol::V5) {
                let copy = pickle::decode_with(&again, ANY);
                prop_assert!(copy.is_ok(), "{:?}", copy);
            }
        }
        Err(err) => prop_assert!(err.offset() <= bytes.len()),
    }
    Ok(())
}

/// Opcodes at random, most of them with sensible operands.
fn program() -> impl Strategy<Value = Vec<u8>> {
    let fragments: &[&[u8]] = &[
        b"N",
        b"K\x01",
        b"M\x01\x02",
        b"J\0\0\0\x80",
        b"\x8a\x01\xff",
        b"G\0\0\0\0\0\0\0\0",
        b"X\x01\0\0\0x",
        b"\x8c\x02os",
        b"\x8c\x03Any",
        b"\x8c\x06latin1",
        b"C\x01y",
        b"U\x01z",
        b"\x96\x01\0\0\0\0\0\0\0w",
        b"I01\n",
        b"L12L\n",
        b"F1.5\n",
        b"V\\u20ac\n",
        b"]",
        b"}",
        b")",
        b"\x8f",
        b"(",
        b"(",
        b"(",
        b"t",
        b"l",
        b"d",
        b"\x91",
        b"\x85",
        b"\x86",
        b"\x87",
        b"a",
        b"e",
        b"s",
        b"u",
        b"\x90",
        b"0",
        b"1",
        b"2",
        b"\x94",
        b"\x94",
        b"q\0",
        b"q\x01",
        b"r\xff\xff\xff\xff",
        b"p2\n",
        b"h\0",
        b"h\x01",
        b"h\x02",
        b"j\0\0\0\0",
        b"g1\n",
        b"\x93",
        b"cbuiltins\nset\n",
        b"cbuiltins\nKeyError\n",
        b"c_codecs\nencode\n",
        b"cbuiltins\nbytearray\n",
        b"ca\nB\n",
        b"ccollections\nOrderedDict\n",
        b"R",
        b"R",
        b"\x81",
        b"\x92",
        b"b",
        b"\x80\x04",
        b"\x88",
    ];
    prop::collection::vec(prop::sample::select(fragments), 0..60)
        .prop_map(|fragments| [fragments.concat(), b".".to_vec()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5000, ..ProptestConfig::default() })]

    #[test]
    fn random_programs_end(program in program()) {
        survive(&program)?;
        // What is left on the stack as one value.
        let rest = &program[..program.len() - 1];
        survive(&[b"(", rest, b"t."].concat())?;
    }
}

proptest! {
    #[test]
    fn random_bytes_end(bytes in any::<Vec<u8>>()) {
        survive(&bytes)?;
    }

    #[test]
    fn cut_bytes_are_truncated(object in zoo::anything(), cut in any::<Index>()) {
        for protocol in PROTOCOLS {
            let bytes = pickle::encode(&object, protocol).unwrap();
            let cut = cut.index(bytes.len());
            let err = pickle::decode_with(&bytes[..cut], ANY).unwrap_err();
            prop_assert_eq!(err.kind(), &PickleErrorKind::Truncated);
            prop_assert!(err.offset() <= cut);
        }
    }

    #[test]
    fn extended_bytes_are_too_long(object in zoo::anything(), more in prop::collection::vec(any::<u8>(), 1..9)) {
        let mut bytes = pickle::encode(&object, Protocol::V4).unwrap();
        bytes.extend(&more);
        let err = pickle::decode_with(&bytes, ANY).unwrap_err();
        prop_assert_eq!(err.kind(), &PickleErrorKind::TrailingBytes { count: more.len() });
        prop_assert_eq!(err.offset() + more.len(), bytes.len());
    }

    #[test]
    fn flipped_bytes_end(
        object in zoo::anything(),
        flips in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        for protocol in PROTOCOLS {
            let mut bytes = pickle::encode(&object, protocol).unwrap();
            for (place, mask) in &flips {
                let place = place.index(bytes.len());
                bytes[place] ^= mask;
            }
            survive(&bytes)?;
        }
    }
}

#[test]
fn every_byte_is_an_opcode_or_an_error() {
    for opcode in 0..=255 {
        for operand in
            [&b""[..], b"\0", b"\0\0\0\0\0\0\0\0", b"1\n1\n", b"\xff\xff\xff\xff\xff\xff\xff\xff"]
        {
            survive(&[b"NN(N", &[opcode][..], operand, b"."].concat()).unwrap();
        }
    }
    assert_eq!(pickle::decode(b"N.").unwrap(), Object::None);
}
