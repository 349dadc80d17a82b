//! Whatever the bytes say, decoding them takes memory in proportion to their number.
//!
//! A binary of its own, because it counts every allocation.

use std::collections::{BTreeMap, HashMap};

use multiproc_wire::{Handle, decode, encode, encode_into};
use proptest::{prelude::*, sample::Index};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

#[path = "../support/counting.rs"]
mod counting;

use counting::measure;

fn peak_of<R>(f: impl FnOnce() -> R) -> isize {
    measure(f).0
}

fn assert_bounded<T: DeserializeOwned>(bytes: &[u8], element: usize) {
    let peak = peak_of(|| decode::<T>(bytes, vec![]));
    // Room that was asked for, and what is really there: a vector that grows is up to twice its
    // need, and thrice while it moves. The constant is for maps, whose smallest block has room for
    // eleven elements, and for the error.
    let bound = (4 * bytes.len() + 12) * element + 1024;
    assert!(
        peak <= bound.cast_signed(),
        "{peak} bytes for {} of input, bound {bound}",
        bytes.len()
    );
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Fat {
    children: Vec<Fat>,
    maybe: Option<[u64; 30]>,
    name: String,
}

fn fat() -> impl Strategy<Value = Fat> {
    let leaf = (any::<bool>(), ".{0,9}").prop_map(|(some, name)| Fat {
        children: vec![],
        maybe: some.then_some([1; 30]),
        name,
    });
    leaf.prop_recursive(6, 30, 4, |inner| {
        (prop::collection::vec(inner, 0..4), ".{0,9}").prop_map(|(children, name)| Fat {
            children,
            maybe: None,
            name,
        })
    })
}

proptest! {
    #[test]
    fn broken_bytes_are_bounded(
        fat in fat(),
        flips in prop::collection::vec((any::<Index>(), any::<u8>()), 0..5),
        cut in any::<Index>(),
    ) {
        let mut bytes = encode(&fat).unwrap().bytes;
        for (place, byte) in flips {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        assert_bounded::<Fat>(&bytes, size_of::<Fat>());
        assert_bounded::<BTreeMap<u8, Fat>>(&bytes, size_of::<(u8, Fat)>());
    }

    #[test]
    fn random_bytes_are_bounded(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        assert_bounded::<Fat>(&bytes, size_of::<Fat>());
        assert_bounded::<Vec<Vec<[u64; 16]>>>(&bytes, 128);
        assert_bounded::<Vec<String>>(&bytes, size_of::<String>());
        assert_bounded::<HashMap<String, u64>>(&bytes, size_of::<(String, u64)>() + 1);
    }
}

#[test]
fn claims_inside_claims_share_one_allowance() {
    // At each level a length that fills what is left. Were each believed up to its mebibyte, as
    // serde does on its own, this would take a hundred of them.
    let bytes: Vec<u8> =
        std::iter::repeat_n([0xff, 0xff, 0x02], 120).flatten().chain([1; 65536]).collect();
    assert_bounded::<Fat>(&bytes, size_of::<Fat>());
}

#[test]
fn claimed_string_allocates_nothing() {
    let bytes = encode(&(1u64 << 40)).unwrap().bytes;
    assert!(peak_of(|| decode::<String>(&bytes, vec![])) < 200, "no more than the error");
}

#[test]
fn steady_state_of_encode_into_allocates_nothing() {
    let value = ("a text", [1u64; 20], Some(vec![1u8; 100]));
    let (mut bytes, mut handles) = (vec![], Vec::<Handle>::new());
    encode_into(&value, &mut bytes, &mut handles).unwrap();

    let (_, calls) = measure(|| {
        for _ in 0..10 {
            bytes.clear();
            encode_into(&value, &mut bytes, &mut handles).unwrap();
        }
    });
    assert_eq!(calls, 0);

    let bytes = encode(&(1u8, [2u64; 4])).unwrap().bytes;
    let (_, calls) = measure(|| decode::<(u8, [u64; 4])>(&bytes, vec![]).unwrap());
    assert_eq!(calls, 0, "nor does decoding a flat value");
}
