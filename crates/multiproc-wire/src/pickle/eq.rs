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
            (Self::Dict(a), Self::Dict(b)) => unordered(a, b, digest_of_item),
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
fn unordered<T: PartialEq>(a: &[T], b: &[T], digest: fn(&T, &RandomState) -> u64) -> bool {
    if a.len() != b.len() {
        return false;
    }
    // Mostly the order is the same; a table is only for what is left then.
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[same..], &b[same..]);

    let hashes = RandomState::new();
    let mut rest: HashMap<u64, Vec<&T>> = HashMap::new();
    for item in b {
        rest.entry(digest(item, &hashes)).or_default().push(item);
    }
    a.iter().all(|item| {
        let Some(candidates) = rest.get_mut(&digest(item, &hashes)) else { return false };
        let Some(place) = candidates.iter().position(|other| *other == item) else { return false };
        candidates.swap_remove(place);
        true
    })
}

/// Returns a number that is the same for equal objects, and hardly for any others.
fn digest(object: &Object, hashes: &RandomState) -> u64 {
    let mut state = hashes.build_hasher();
    mem::discriminant(object).hash(&mut state);
    match object {
        Object::None => {}
        Object::Bool(value) => value.hash(&mut state),
        Object::Int(value) => value.hash(&mut state),
        Object::BigInt(value) => value.hash(&mut state),
        // Both zeros are equal, and the sum is the positive one.
        Object::Float(value) => (value + 0.0).to_bits().hash(&mut state),
        Object::Str(text) => text.hash(&mut state),
        Object::Surrogates(bytes) | Object::Bytes(bytes) | Object::ByteArray(bytes) => {
            bytes.hash(&mut state);
        }
        Object::List(items) | Object::Tuple(items) => {
            items.iter().for_each(|item| digest(item, hashes).hash(&mut state));
        }
        // A sum does not care about the order.
        Object::Dict(items) => sum(items, hashes, digest_of_item).hash(&mut state),
        Object::Set(items) | Object::FrozenSet(items) => {
            sum(items, hashes, digest).hash(&mut state);
        }
        Object::Exception(exception) => {
            exception.class.hash(&mut state);
            exception.args.iter().for_each(|arg| digest(arg, hashes).hash(&mut state));
        }
        Object::Global(global) => global.hash(&mut state),
        Object::Instance(instance) => {
            instance.class.hash(&mut state);
            let parts = instance.args.iter().chain(&instance.items).chain(&instance.state);
            parts.for_each(|part| digest(part, hashes).hash(&mut state));
        }
    }
    state.finish()
}

fn digest_of_item((key, value): &(Object, Object), hashes: &RandomState) -> u64 {
    hashes.hash_one((digest(key, hashes), digest(value, hashes)))
}

fn sum<T>(items: &[T], hashes: &RandomState, digest: fn(&T, &RandomState) -> u64) -> u64 {
    items.iter().fold(0, |sum, item| sum.wrapping_add(digest(item, hashes)))
}
