//! Values as keys: equal where Python has them equal, so that `1`, `1.0` and `True` are one key.

use multiproc_wire::pickle::{Exception, Object};

use crate::raise;

/// What a value hashes and compares by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    None,
    Int(i64),
    /// By its digits.
    Big(String),
    /// By its bits; never a whole number that an `i64` can hold.
    Float(u64),
    Str(String),
    Surrogates(Vec<u8>),
    Bytes(Vec<u8>),
    Tuple(Vec<Key>),
    /// In order, so that the order in which they came does not count.
    Frozen(Vec<Key>),
    /// By its text: names, and values of classes that are known by name.
    Other(String),
}

impl Key {
    /// Returns what the value is found by.
    ///
    /// # Errors
    ///
    /// `TypeError` when the value cannot be a key.
    pub(crate) fn of(object: &Object) -> Result<Self, Exception> {
        Ok(match object {
            Object::None => Self::None,
            Object::Bool(value) => Self::Int((*value).into()),
            Object::Int(value) => Self::Int(*value),
            Object::BigInt(value) => match value.to_i64() {
                Some(value) => Self::Int(value),
                None => Self::Big(value.to_string()),
            },
            Object::Float(value) => match whole(*value) {
                Some(value) => Self::Int(value),
                None => Self::Float(value.to_bits()),
            },
            Object::Str(text) => Self::Str(text.clone()),
            Object::Surrogates(bytes) => Self::Surrogates(bytes.clone()),
            Object::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Object::Tuple(items) => Self::Tuple(keys(items)?),
            Object::FrozenSet(items) => {
                let mut keys = keys(items)?;
                keys.sort_unstable();
                keys.dedup();
                Self::Frozen(keys)
            }
            Object::List(_) | Object::Dict(_) | Object::Set(_) | Object::ByteArray(_) => {
                let text = format!("unhashable type: '{}'", object.type_name());
                return Err(raise::type_error(text));
            }
            other => Self::Other(other.to_string()),
        })
    }
}

fn keys(items: &[Object]) -> Result<Vec<Key>, Exception> {
    items.iter().map(Key::of).collect()
}

/// Returns the integer that a float is, if it is one.
#[expect(clippy::cast_possible_truncation, reason = "compared afterwards")]
fn whole(value: f64) -> Option<i64> {
    let int = value as i64;
    // 2⁶³ saturates to a number that it is not.
    (int as f64 == value && int != i64::MAX).then_some(int)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(object: impl Into<Object>) -> Key {
        Key::of(&object.into()).unwrap()
    }

    #[test]
    fn numbers_of_one_value_are_one_key() {
        assert_eq!(key(1), key(1.0));
        assert_eq!(key(1), key(true));
        assert_eq!(key(0.0), key(-0.0));
        assert_ne!(key(1), key("1"));
        assert_ne!(key(0.25), key(0));
        assert_ne!(key(9.3e18), key(i64::MAX));
        assert_eq!(key((1, "x")), key((1.0, "x")));
    }

    #[test]
    fn frozen_sets_have_no_order() {
        let set = |items: [i64; 3]| Object::FrozenSet(items.map(Object::from).into());
        assert_eq!(key(set([1, 2, 3])), key(set([3, 1, 2])));
    }

    #[test]
    fn what_cannot_be_a_key_says_so() {
        let err = Key::of(&Object::Tuple(vec![Object::List(vec![])])).unwrap_err();
        assert_eq!(err.to_string(), "TypeError(\"unhashable type: 'list'\")");
    }
}
