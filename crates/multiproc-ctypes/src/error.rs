//! What can go wrong.

/// Why items of an array cannot be read or set.
///
/// # Examples
///
/// ```
/// let array = multiproc_ctypes::RawArray::<u8>::new(5)?;
/// assert_eq!(array.get(5).unwrap_err().to_string(), "items 5..6 of an array of 5");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArrayError {
    /// There are no such items. Python raises `IndexError`.
    #[error("items {start}..{end} of an array of {len}")]
    Index {
        /// The first item asked for.
        start: usize,
        /// The one behind the last.
        end: usize,
        /// How many items there are.
        len: usize,
    },

    /// There are more or fewer values than items to set. Python raises `ValueError`.
    #[error("{values} values for {items} items of an array: there have to be as many")]
    Length {
        /// How many values there are.
        values: usize,
        /// How many items they were meant for.
        items: usize,
    },

    /// A string is longer than the array. Python raises `ValueError`.
    #[error("a string of {string} items for an array of {len}")]
    TooLong {
        /// How long the string is.
        string: usize,
        /// How many items there are.
        len: usize,
    },
}
