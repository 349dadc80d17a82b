//! The order that Python's `<` gives values.

use std::cmp::Ordering;

use multiproc_wire::pickle::{Exception, Object};

use super::{Held, equal};
use crate::raise;

/// Sorts as `list.sort` does; after an error the order is any.
pub(crate) fn sort(items: &mut [Held], reverse: bool) -> Result<(), Exception> {
    let mut fault = None;
    items.sort_by(|a, b| {
        // As in Python, equal ones stay in order both ways.
        let (a, b) = if reverse { (b, a) } else { (a, b) };
        compare(&a.object, &b.object).unwrap_or_else(|err| {
            fault.get_or_insert(err);
            Ordering::Equal
        })
    });
    fault.map_or(Ok(()), Err)
}

fn compare(a: &Object, b: &Object) -> Result<Ordering, Exception> {
    match (a, b) {
        (Object::Str(a), Object::Str(b)) => Ok(a.cmp(b)),
        (Object::Bytes(a) | Object::ByteArray(a), Object::Bytes(b) | Object::ByteArray(b)) => {
            Ok(a.cmp(b))
        }
        (Object::List(first), Object::List(second))
        | (Object::Tuple(first), Object::Tuple(second)) => {
            let differing = first.iter().zip(second).find(|(a, b)| !equal(a, b));
            match differing {
                Some((a, b)) => compare(a, b),
                None => Ok(first.len().cmp(&second.len())),
            }
        }
        _ => numbers(a, b).ok_or_else(|| {
            raise::type_error(format!(
                "'<' not supported between instances of '{}' and '{}'",
                a.type_name(),
                b.type_name()
            ))
        }),
    }
}

fn numbers(a: &Object, b: &Object) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (int(a), int(b)) {
        return Some(a.cmp(&b));
    }
    let (a, b) = (float(a)?, float(b)?);
    // A NaN is neither before nor behind anything.
    Some(a.partial_cmp(&b).unwrap_or(Ordering::Equal))
}

fn int(object: &Object) -> Option<i64> {
    match object {
        Object::Bool(value) => Some((*value).into()),
        _ => object.as_int(),
    }
}

fn float(object: &Object) -> Option<f64> {
    match object {
        Object::Float(value) => Some(*value),
        // Python compares exactly; beyond 2⁵³ the nearest float stands for the number here.
        Object::BigInt(value) => value.to_string().parse().ok(),
        _ => int(object).map(|value| value as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(items: Vec<Object>, reverse: bool) -> Result<String, Exception> {
        let mut items: Vec<_> = items.into_iter().map(Held::plain).collect();
        sort(&mut items, reverse)?;
        Ok(Object::List(items.into_iter().map(|held| held.object).collect()).to_string())
    }

    #[test]
    fn numbers_texts_and_sequences_have_an_order() {
        let mixed = vec![2.into(), 0.5.into(), true.into()];
        assert_eq!(sorted(mixed, false).unwrap(), "[0.5, True, 2]");
        assert_eq!(sorted(vec!["b".into(), "a".into()], true).unwrap(), "['b', 'a']");
        let pairs = vec![(1, "b").into(), (1, "a").into()];
        assert_eq!(sorted(pairs, false).unwrap(), "[(1, 'a'), (1, 'b')]");
    }

    #[test]
    fn what_has_no_order_is_a_type_error() {
        let err = sorted(vec![1.into(), "a".into()], false).unwrap_err();
        assert!(err.to_string().starts_with("TypeError"), "{err}");
    }
}
