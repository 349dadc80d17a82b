//! Broken bytes end in an error, never in a panic.

use multiproc_wire::{DecodeErrorKind, decode, encode};
use proptest::{prelude::*, sample::Index};

use crate::zoo::{self, Chain, Tree, Zoo};

proptest! {
    #[test]
    fn cut_bytes_do_not_decode(zoo in zoo::zoo(), cut in any::<Index>()) {
        let bytes = encode(&zoo).unwrap().bytes;
        let cut = cut.index(bytes.len());
        let err = decode::<Zoo>(&bytes[..cut], vec![]).unwrap_err();
        prop_assert_eq!(err.kind(), &DecodeErrorKind::Truncated);
        prop_assert!(err.offset() <= cut);
    }

    #[test]
    fn extended_bytes_do_not_decode(zoo in zoo::zoo(), more in prop::collection::vec(any::<u8>(), 1..9)) {
        let mut bytes = encode(&zoo).unwrap().bytes;
        bytes.extend(&more);
        let err = decode::<Zoo>(&bytes, vec![]).unwrap_err();
        prop_assert_eq!(err.kind(), &DecodeErrorKind::TrailingBytes { count: more.len() });
    }

    #[test]
    fn flipped_bytes_decode_to_a_value_that_encodes_again_or_fail(
        zoo in zoo::zoo(),
        flips in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(&zoo).unwrap().bytes;
        for (place, mask) in flips {
            let place = place.index(bytes.len());
            bytes[place] ^= mask;
        }
        if let Ok(zoo) = decode::<Zoo>(&bytes, vec![]) {
            prop_assert!(encode(&zoo).is_ok());
        }
    }

    #[test]
    fn random_bytes_decode_to_a_value_that_encodes_again_or_fail(bytes in any::<Vec<u8>>()) {
        if let Ok(tree) = decode::<Tree>(&bytes, vec![]) {
            prop_assert_eq!(encode(&tree).unwrap().decode::<Tree>().unwrap(), tree);
        }
        if let Ok(chain) = decode::<Chain>(&bytes, vec![]) {
            prop_assert_eq!(encode(&chain).unwrap().bytes, bytes);
        }
    }
}

#[test]
fn each_kind_of_value_names_itself_when_it_is_broken() {
    fn invalid<T: serde::de::DeserializeOwned + std::fmt::Debug>(bytes: &[u8]) -> String {
        decode::<T>(bytes, vec![]).unwrap_err().kind().to_string()
    }
    assert_eq!(invalid::<bool>(&[2]), "invalid bool");
    assert_eq!(invalid::<Option<u8>>(&[9, 1]), "invalid option");
    assert_eq!(invalid::<String>(&[1, 0xff]), "invalid utf-8");
    assert_eq!(invalid::<char>(b"\x02ab"), "invalid char");
    assert_eq!(invalid::<char>(&[0]), "invalid char");
    assert_eq!(invalid::<u16>(&[0xff, 0xff, 0x04]), "invalid integer");
    assert!(invalid::<Result<u8, u8>>(&[7, 1]).contains("expected `Ok` or `Err`"));
    assert!(invalid::<std::num::NonZeroU8>(&[0]).contains("nonzero"), "serde's own text is kept");
}
