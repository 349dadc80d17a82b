//! Everything comes back, and the bytes are postcard's.

use multiproc_wire::{decode, encode, encode_into};
use proptest::prelude::*;

use crate::zoo::{self, Shape, Zoo};

proptest! {
    #[test]
    fn everything_comes_back(zoo in zoo::zoo()) {
        let message = encode(&zoo).unwrap();
        prop_assert!(message.handles.is_empty());
        prop_assert_eq!(decode::<Zoo>(&message.bytes, vec![]).unwrap(), zoo);
    }

    #[test]
    fn bytes_are_those_of_postcard(zoo in zoo::zoo()) {
        let theirs = postcard::to_stdvec(&zoo).unwrap();
        prop_assert_eq!(&encode(&zoo).unwrap().bytes, &theirs);
    }

    #[test]
    fn integers_decode_exactly_where_postcard_decodes_them(bytes in any::<Vec<u8>>(), long in any::<[u8; 22]>()) {
        // High bits set at random make long varints and overlong ones.
        let long = long.map(|byte| byte | 0x80);
        for bytes in [&bytes[..], &long] {
            for end in 0..=bytes.len() {
                let mut bytes = bytes[..end].to_vec();
                same::<u16>(&bytes)?;
                same::<(u32, i16)>(&bytes)?;
                same::<(i32, u64)>(&bytes)?;
                same::<i64>(&bytes)?;
                same::<(u8, bool, Option<i8>)>(&bytes)?;
                same::<String>(&bytes)?;
                if let Some(last) = bytes.last_mut() {
                    *last &= 0x03;
                    same::<u16>(&bytes)?;
                    same::<u32>(&bytes)?;
                    same::<u64>(&bytes)?;
                    same::<u128>(&bytes)?;
                    same::<i128>(&bytes)?;
                }
            }
        }
    }
}

fn same<T: serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(
    bytes: &[u8],
) -> Result<(), TestCaseError> {
    let theirs = match postcard::take_from_bytes::<T>(bytes) {
        Ok((value, [])) => Some(value),
        _ => None,
    };
    prop_assert_eq!(decode::<T>(bytes, vec![]).ok(), theirs);
    Ok(())
}

#[test]
fn extremes_come_back() {
    let extremes = (
        (u16::MAX, u32::MAX, u64::MAX, u128::MAX, usize::MAX),
        (i16::MIN, i32::MIN, i64::MIN, i128::MIN, i8::MIN),
        (i16::MAX, i32::MAX, i64::MAX, i128::MAX, isize::MIN),
        (f64::INFINITY, f64::MIN_POSITIVE, -0.0f64, '\u{10ffff}', '\0'),
    );
    let bytes = encode(&extremes).unwrap().bytes;
    assert_eq!(bytes, postcard::to_stdvec(&extremes).unwrap());
    assert_eq!(encode(&extremes).unwrap().decode(), Ok(extremes));
}

#[test]
fn unsized_values_encode() {
    assert_eq!(encode("ab").unwrap().bytes, b"\x02ab");
    assert_eq!(encode(&[1u8, 2][..]).unwrap().bytes, [2, 1, 2]);
}

#[test]
fn appended_values_decode_as_a_tuple() {
    let (mut bytes, mut handles) = (vec![], vec![]);
    encode_into(&300u16, &mut bytes, &mut handles).unwrap();
    encode_into(&Shape::Nothing, &mut bytes, &mut handles).unwrap();
    assert_eq!(decode(&bytes, vec![]), Ok((300u16, Shape::Nothing)));
}
