//! Strings in arrays: they end at the first item that is zero, or with the array.

use crate::error::ArrayError;

/// The string that begins an array.
pub(crate) fn of<T: Default + PartialEq>(mut items: Vec<T>) -> Vec<T> {
    let end = items.iter().position(|item| *item == T::default());
    items.truncate(end.unwrap_or(items.len()));
    items
}

/// What is to be stored in an array of `len` items for this string.
pub(crate) fn ended<T: Default>(mut string: Vec<T>, len: usize) -> Result<Vec<T>, ArrayError> {
    if len < string.len() {
        return Err(ArrayError::TooLong { string: string.len(), len });
    }
    if string.len() < len {
        string.push(T::default());
    }
    Ok(string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_ends_at_zero_or_with_the_array() {
        assert_eq!(of(b"ab\0cd".to_vec()), b"ab");
        assert_eq!(of(vec!['a', 'b']), ['a', 'b']);
        assert_eq!(ended(b"ab".to_vec(), 3).unwrap(), b"ab\0");
        assert_eq!(ended(b"abc".to_vec(), 3).unwrap(), b"abc");
        let refused = Err(ArrayError::TooLong { string: 4, len: 3 });
        assert_eq!(ended(b"abcd".to_vec(), 3), refused);
    }
}
