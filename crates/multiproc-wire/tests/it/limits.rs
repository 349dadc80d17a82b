//! Depth and number are bounded, on both sides alike.

use std::thread;

use multiproc_wire::{
    DecodeErrorKind, EncodeErrorKind, Limits, decode, decode_with, encode, encode_into_with,
};
use serde::{Deserialize, Serialize};

use crate::zoo::{Chain, Tree};

#[test]
fn as_deep_as_allowed_passes_and_one_deeper_is_refused_by_both_sides() {
    // Each link is a struct in an option, the last one a struct alone.
    let links = Limits::DEFAULT.depth / 2;
    assert_eq!(encode(&Chain::of(links)).unwrap().decode(), Ok(Chain::of(links)));

    let err = encode(&Chain::of(links + 1)).unwrap_err();
    assert_eq!(*err.kind(), EncodeErrorKind::TooDeep { limit: 256 });

    let bytes = [vec![1; links], vec![0]].concat();
    let err = decode::<Chain>(&bytes, vec![]).unwrap_err();
    assert_eq!(*err.kind(), DecodeErrorKind::TooDeep { limit: 256 });
}

#[test]
fn deep_values_fit_a_small_stack() {
    // Serde's code is at its largest in an unoptimised build, as this one is.
    let thread = thread::Builder::new().stack_size(1 << 20).spawn(|| {
        let tree = (1..Limits::DEFAULT.depth / 2)
            .fold(Tree::default(), |tree, _| Tree { name: "x".to_owned(), children: vec![tree] });
        assert_eq!(encode(&tree).unwrap().decode(), Ok(tree));

        let bomb = vec![1; 1 << 20];
        let err = decode::<Chain>(&bomb, vec![]).unwrap_err();
        assert_eq!(*err.kind(), DecodeErrorKind::TooDeep { limit: 256 });
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn every_kind_of_nesting_counts_on_both_sides_alike() {
    #[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq)]
    struct Newtype(u8);
    #[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq)]
    enum Kinds {
        Unit,
        Newtype(u8),
        Tuple(u8, u8),
        Struct { a: u8 },
    }
    fn depth_is<T: Serialize + serde::de::DeserializeOwned>(value: &T, depth: usize) {
        let bytes = encode(value).unwrap().bytes;
        let encodes = |depth| {
            let limits = Limits { depth, ..Limits::DEFAULT };
            encode_into_with(value, &mut vec![], &mut vec![], limits).is_ok()
        };
        let decodes =
            |depth| decode_with::<T>(&bytes, vec![], Limits { depth, ..Limits::DEFAULT }).is_ok();
        assert!(encodes(depth) && decodes(depth));
        assert!(depth == 0 || !encodes(depth - 1) && !decodes(depth - 1));
    }
    depth_is(&7u8, 0);
    depth_is(&String::from("x"), 0);
    depth_is(&None::<u8>, 0);
    depth_is(&Some(1u8), 1);
    depth_is(&Newtype(1), 1);
    depth_is(&(1u8, (2u8,)), 2);
    depth_is(&vec![vec![1u8]], 2);
    depth_is(&std::collections::BTreeMap::from([(1u8, Some(2u8))]), 2);
    depth_is(&Kinds::Unit, 1);
    depth_is(&Kinds::Newtype(1), 1);
    depth_is(&Kinds::Tuple(1, 2), 1);
    depth_is(&Kinds::Struct { a: 1 }, 1);
}

#[test]
fn claimed_elements_without_bytes_are_refused() {
    let bomb = encode(&(1u64 << 60)).unwrap().bytes;
    let err = decode::<Vec<()>>(&bomb, vec![]).unwrap_err();
    let limit = (1 << 20) + 8 * bomb.len();
    assert_eq!(*err.kind(), DecodeErrorKind::TooManyElements { limit });

    // Types of fixed size multiply what one element costs.
    let bomb = encode(&(1u64 << 19)).unwrap().bytes;
    let err = decode::<Vec<[[(); 32]; 32]>>(&bomb, vec![]).unwrap_err();
    assert!(matches!(err.kind(), DecodeErrorKind::TooManyElements { .. }));

    let bomb = encode(&(1u64 << 60)).unwrap().bytes;
    let err = decode::<std::collections::BTreeMap<(), ()>>(&bomb, vec![]).unwrap_err();
    assert!(matches!(err.kind(), DecodeErrorKind::TooManyElements { .. }));
}

#[test]
fn honest_elements_without_bytes_pass_or_are_refused_by_the_sender() {
    let million = vec![(); 1_000_000];
    assert_eq!(encode(&million).unwrap().decode(), Ok(million));

    // A vector of units can be this long without any memory, and must not be counted out.
    let err = encode(&vec![(); usize::MAX]).unwrap_err();
    assert!(matches!(err.kind(), EncodeErrorKind::TooManyElements { .. }));
}

#[test]
fn elements_with_bytes_are_never_too_many() {
    let limits = Limits { elements: 0, ..Limits::DEFAULT };
    let values = vec![(7u8, Some(vec![1u8])); 1000];
    let (mut bytes, mut handles) = (vec![], vec![]);
    encode_into_with(&values, &mut bytes, &mut handles, limits).unwrap();
    assert_eq!(decode_with(&bytes, vec![], limits), Ok(values));
}

#[test]
fn length_beyond_the_end_is_refused_before_anything_is_read() {
    for len in [4u64, 1 << 31, u64::MAX] {
        let bytes = [encode(&len).unwrap().bytes, b"abc".to_vec()].concat();
        let err = decode::<String>(&bytes, vec![]).unwrap_err();
        assert_eq!(*err.kind(), DecodeErrorKind::Truncated);
    }
    let err = decode::<Vec<u8>>(b"\x04abc", vec![]).unwrap_err();
    assert_eq!(*err.kind(), DecodeErrorKind::Truncated);
}
