//! When Python has two values equal.

use multiproc_wire::pickle::Object;

use super::Key;

/// Returns whether Python would say that the values are equal, numbers of different types too.
pub(crate) fn equal(a: &Object, b: &Object) -> bool {
    match (a, b) {
        (Object::List(a), Object::List(b)) | (Object::Tuple(a), Object::Tuple(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Object::Float(a), Object::Float(b)) => a == b,
        (Object::Bytes(a) | Object::ByteArray(a), Object::Bytes(b) | Object::ByteArray(b)) => {
            a == b
        }
        (Object::Float(number), _) | (_, Object::Float(number)) if number.is_nan() => false,
        (Object::Dict(first), Object::Dict(second)) => {
            first.len() == second.len()
                && first.iter().all(|(name, value)| {
                    second.iter().any(|(other, its)| equal(name, other) && equal(value, its))
                })
        }
        (
            Object::Set(first) | Object::FrozenSet(first),
            Object::Set(second) | Object::FrozenSet(second),
        ) => {
            let keys = |items: &[Object]| {
                let mut keys: Vec<_> = items.iter().filter_map(|item| Key::of(item).ok()).collect();
                keys.sort_unstable();
                keys.dedup();
                keys
            };
            keys(first) == keys(second)
        }
        _ if is_number(a) && is_number(b) => Key::of(a).ok() == Key::of(b).ok(),
        _ => a == b,
    }
}

fn is_number(object: &Object) -> bool {
    matches!(object, Object::Bool(_) | Object::Int(_) | Object::BigInt(_) | Object::Float(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_equal_across_types() {
        assert!(equal(&1.into(), &1.0.into()));
        assert!(equal(&Object::List(vec![true.into()]), &Object::List(vec![1.into()])));
        assert!(!equal(&f64::NAN.into(), &f64::NAN.into()));
        assert!(!equal(&1.into(), &"1".into()));
        let set = |items: [i64; 2]| Object::Set(items.map(Object::from).into());
        assert!(equal(&set([1, 2]), &set([2, 1])));
    }
}
