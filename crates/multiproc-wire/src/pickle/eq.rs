//! When two objects are equal.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    mem,
};

use super::Object;

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::BigInt(a), Self::BigInt(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Surrogates(a), Self::Surrogates(b))
            | (Self::Bytes(a), Self::Bytes(b))
            | (Self::ByteArray(a), Self::ByteArray(b)) => a == b,
            (Self::List(a), Self::List(b)) | (Self::Tuple(a), Self::Tuple(b)) => a == b,
            (Self::Dict(a), Self::Dict(b)) => {
                unordered(a, b, |(key, value), state| {
                    digest(key, state);
                    digest(value, state);
                })
            }
            (Self::Set(a), Self::Set(b)) | (Self::FrozenSet(a), Self::FrozenSet(b)) => {
                unordered(a, b, digest)
            }
            (Self::Exception(a), Self::Exception(b)) => a == b,
            (Self::Global(a), Self::Global(b)) => a == b,
            (Self::Instance(a), Self::Instance(b)) => a == b,
            _ => false,
        }
    }
}

/// Compares two collections whose order does not count.
fn unordered<T: PartialEq>(
    a: &[T],
    b: &[T],
    digest: impl Fn(&T, &mut dyn Hasher),
) -> bool {
    if a.len() != b.len() {
        return false;
    }
    // Mostly the order is the same; a table is only for what is left then.
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[same..], &b[same..]);

    let hashes = RandomState::new();
    let hash = |item: &T| {
        let mut state = hashes.build_hasher();
        digest(item, &mut state);
        state.finish()
    };
    let mut rest: HashMap<u64, Vec<&T>> = HashMap::new();
    for item in b {
        rest.entry(hash(item)).or_default().push(item);
    }
    a.iter().all(|item| {
        let Some(candidates) = rest.get_mut(&hash(item)) else { return false };
        let Some(place) = candidates.iter().position(|other| *other == item) else { return false };
        candidates.swap_remove(place);
        true
    })
}

/// Feeds a hasher what is alike in equal objects.
fn digest(object: &Object, mut state: &mut dyn Hasher) {
    mem::discriminant(object).hash(&mut state);
    match object {
        Object::None => {}
        Object::Bool(value) => value.hash(&mut state),
        Object::Int(value) => value.hash(&mut state),
        Object::BigInt(value) => value.hash(&mut state),
        // Both zeros are equal.
        Object::Float(value) => (value + 0.0).to_bits().hash(&mut state),
        Object::Str(text) => text.hash(&mut state),
        Object::Surrogates(bytes) | Object::Bytes(bytes) | Object::ByteArray(bytes) => {
            bytes.hash(&mut state);
        }
        Object::List(items) | Object::Tuple(items) => {
            items.len().hash(&mut state);
            items.iter().for_each(|item| digest(item, state));
        }
        // What has no order is told apart by its size, and then by comparing.
        Object::Dict(items) => items.len().hash(&mut state),
        Object::Set(items) | Object::FrozenSet(items) => items.len().hash(&mut state),
        Object::Exception(exception) => exception.class.hash(&mut state),
        Object::Global(global) => global.hash(&mut state),
        Object::Instance(instance) => instance.class.hash(&mut state),
    }
}
