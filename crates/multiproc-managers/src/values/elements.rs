//! What there is to iterate over in a value.

use multiproc_wire::pickle::{Exception, Object};

use crate::raise;

/// Returns what Python would iterate over.
///
/// # Errors
///
/// `TypeError` when there is nothing to iterate over.
pub(crate) fn elements(iterable: Object) -> Result<Vec<Object>, Exception> {
    match iterable {
        Object::List(items)
        | Object::Tuple(items)
        | Object::Set(items)
        | Object::FrozenSet(items) => Ok(items),
        Object::Dict(pairs) => Ok(pairs.into_iter().map(|(key, _)| key).collect()),
        Object::Str(text) => Ok(text.chars().map(Object::from).collect()),
        Object::Bytes(bytes) | Object::ByteArray(bytes) => {
            Ok(bytes.into_iter().map(Object::from).collect())
        }
        Object::Instance(range) if range.class.is("builtins", "range") => numbers(&range.args),
        other => Err(raise::type_error(format!("'{}' object is not iterable", other.type_name()))),
    }
}

/// Returns the numbers of a `range`, of which there may be as many as a message could hold.
fn numbers(args: &[Object]) -> Result<Vec<Object>, Exception> {
    const MOST: usize = 1 << 24;
    let fault = || raise::type_error("'range' object is not one of integers");
    let args: Option<Vec<i64>> = args.iter().map(Object::as_int).collect();
    let (start, stop, step) = match args.ok_or_else(fault)?[..] {
        [stop] => (0, stop, 1),
        [start, stop] => (start, stop, 1),
        [start, stop, step] if step != 0 => (start, stop, step),
        _ => return Err(fault()),
    };
    let numbers = std::iter::successors(Some(start), |at: &i64| at.checked_add(step))
        .take_while(|at| if step < 0 { stop < *at } else { *at < stop });
    let numbers: Vec<Object> = numbers.take(MOST + 1).map(Object::from).collect();
    if numbers.len() <= MOST {
        Ok(numbers)
    } else {
        Err(raise::builtin("OverflowError", "range is too long to be sent"))
    }
}
