//! How long a value is, as far as that matters.

use multiproc_wire::pickle::Object;

/// From this size on a message is read and written on a thread of its own, so that nobody else waits for it.
pub(crate) const LONG: usize = 1 << 20;

/// What an item costs that is nothing but itself.
const ITEM: usize = 8;

/// Returns whether a value makes a long message, give or take, without looking much further.
pub(crate) fn is_long(object: &Object) -> bool {
    spent(object, &mut LONG.clone()).is_none()
}

/// Takes the value's length from what is left, if there is enough.
fn spent(object: &Object, left: &mut usize) -> Option<()> {
    let own = match object {
        Object::Str(text) => text.len(),
        Object::Bytes(bytes) | Object::ByteArray(bytes) | Object::Surrogates(bytes) => bytes.len(),
        _ => 0,
    };
    *left = left.checked_sub(ITEM + own)?;
    match object {
        Object::List(items)
        | Object::Tuple(items)
        | Object::Set(items)
        | Object::FrozenSet(items) => items.iter().try_for_each(|item| spent(item, left)),
        Object::Dict(pairs) => pairs.iter().try_for_each(|(key, value)| {
            spent(key, left)?;
            spent(value, left)
        }),
        Object::Instance(instance) => {
            instance.args.iter().chain(&instance.items).try_for_each(|item| spent(item, left))
        }
        _ => Some(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_short_ones_are_as_long_as_one_long_one() {
        assert!(is_long(&Object::Bytes(vec![0; LONG])));
        assert!(!is_long(&Object::Bytes(vec![0; LONG / 2])));
        assert!(is_long(&Object::List(vec![Object::None; LONG / ITEM])));
        assert!(!is_long(&Object::List(vec![Object::None; LONG / ITEM - 1])));
        let halves = vec![(Object::None, Object::Bytes(vec![0; LONG / 2])); 2];
        assert!(is_long(&Object::Tuple(vec![Object::Dict(halves)])));
    }
}
