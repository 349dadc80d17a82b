//! What can go wrong.

use multiproc_sync::SyncError;
use serde::{Deserialize, Serialize};

/// Why items of an array cannot be read or set.
///
/// # Examples
///
/// ```
/// let array = multiproc_ctypes::RawArray::<u8>::new(5)?;
/// assert_eq!(array.get(5).unwrap_err().to_string(), "items 5..6 of an array of 5");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
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

/// Why a value or an array with a lock cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// A guard, or a closure of `update`, has the data: one of this thread, or one whose lock somebody has given back.
    ///
    /// Waiting would not help: what is to be dropped first is on this thread, or the lock no longer says when it is.
    /// Python lets both write at once.
    #[error(
        "the data are in use: drop the guard that this thread has first, and leave a lock alone while a guard relies on it"
    )]
    InUse,

    /// The lock cannot be had. Python raises `OSError`, or waits for ever.
    #[error(transparent)]
    Lock(#[from] SyncError),

    /// There are no such items. Python raises `IndexError` or `ValueError`.
    #[error(transparent)]
    Array(#[from] ArrayError),
}

impl AccessError {
    /// Returns true if the data are in use by a guard that the lock does not stand for.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::InUse)
    }
}
