//! Indices and slices of sequences.

use multiproc_wire::pickle::{Exception, Object};

use crate::raise;

/// What an index or slice means for a sequence of some length.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// One element that is there.
    One(usize),
    /// These, in this order, and with them where a plain slice would be put: `start..end`.
    Slice { places: Vec<usize>, start: usize, end: usize, plain: bool },
}

/// Returns what `index` means.
///
/// # Errors
///
/// `IndexError` when there is no such element, `TypeError` when it is no index.
pub(crate) fn place(index: &Object, len: usize, what: &str) -> Result<Place, Exception> {
    if let Object::Instance(slice) = index
        && slice.class.is("builtins", "slice")
        && let [start, stop, step] = &slice.args[..]
    {
        return slice_of(start, stop, step, len);
    }
    let number = match index {
        Object::Bool(value) => Some((*value).into()),
        _ => index.as_int(),
    };
    let Some(number) = number else {
        let text = format!("{what} indices must be integers or slices, not {}", index.type_name());
        return Err(raise::type_error(text));
    };
    let found = if number < 0 { number.checked_add_unsigned(len as u64) } else { Some(number) };
    let found = found.and_then(|number| usize::try_from(number).ok()).filter(|place| *place < len);
    found.map(Place::One).ok_or_else(|| raise::index_error(format!("{what} index out of range")))
}

fn slice_of(start: &Object, stop: &Object, step: &Object, len: usize) -> Result<Place, Exception> {
    let number = |object: &Object| match object {
        Object::None => Ok(None),
        object => object.as_int().map(Some).ok_or_else(|| {
            let text = "slice indices must be integers or None or have an __index__ method";
            raise::type_error(text)
        }),
    };
    let step = number(step)?.unwrap_or(1);
    if step == 0 {
        return Err(raise::value_error("slice step cannot be zero"));
    }
    let size = i64::try_from(len).unwrap_or(i64::MAX);
    let (least, most) = if step < 0 { (-1, size - 1) } else { (0, size) };
    let bound = |object: &Object, default: i64| -> Result<i64, Exception> {
        let Some(number) = number(object)? else { return Ok(default) };
        let number = if number < 0 { number.saturating_add(size) } else { number };
        Ok(number.clamp(least, most))
    };
    let (first, last) = if step < 0 { (size - 1, -1) } else { (0, size) };
    let (start, stop) = (bound(start, first)?, bound(stop, last)?);
    let mut places = vec![];
    let mut at = start;
    while if step < 0 { stop < at } else { at < stop } {
        places.push(usize::try_from(at).unwrap_or(0));
        match at.checked_add(step) {
            Some(next) => at = next,
            None => break,
        }
    }
    let begin = usize::try_from(start).unwrap_or(0);
    let end = usize::try_from(stop).unwrap_or(0).max(begin);
    Ok(Place::Slice { places, start: begin, end, plain: step == 1 })
}

#[cfg(test)]
mod tests {
    use multiproc_wire::pickle::{Global, Instance, Made};

    use super::*;

    fn slice(start: Option<i64>, stop: Option<i64>, step: Option<i64>) -> Vec<usize> {
        let args = [start.into(), stop.into(), step.into()];
        let mut slice = Instance::new(Global::new("builtins", "slice"), args);
        slice.made = Made::Call;
        match place(&slice.into(), 5, "list").unwrap() {
            Place::Slice { places, .. } => places,
            Place::One(_) => unreachable!(),
        }
    }

    #[test]
    fn slices_are_python_s() {
        assert_eq!(slice(Some(2), Some(10), None), [2, 3, 4]);
        assert_eq!(slice(None, None, Some(-1)), [4, 3, 2, 1, 0]);
        assert_eq!(slice(Some(-2), None, None), [3, 4]);
        assert_eq!(slice(None, None, Some(2)), [0, 2, 4]);
        assert_eq!(slice(Some(3), Some(1), None), [0; 0]);
        assert_eq!(slice(Some(i64::MAX), Some(i64::MIN), Some(i64::MIN)), [4]);
    }

    #[test]
    fn indices_count_from_both_ends() {
        assert_eq!(place(&(-1).into(), 5, "list").unwrap(), Place::One(4));
        assert!(place(&5.into(), 5, "list").is_err());
        assert!(place(&(-6).into(), 5, "list").is_err());
        assert!(place(&"x".into(), 5, "list").unwrap_err().class.is("builtins", "TypeError"));
    }
}
