//! A value without a lock.

use std::fmt;

use multiproc_shm::{HeapError, Shareable};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cells::Cells;

const KIND: u64 = 1;

/// A value that several processes read and write without a lock.
///
/// A value of 1, 2, 4 or 8 bytes is always read and written whole. Of a larger one a read may return parts of what two
/// processes have written; and to read, change and write is never one step. Where that matters take a
/// [`Value`](crate::Value), or let [`synchronized`](crate::synchronized) add a lock.
///
/// Clones are handles to the same value. So is what arrives when one is sent, as an argument, in a message or as a field,
/// and what a forked child has. The memory is freed with the last handle in any process.
///
/// # If a process dies
///
/// What it has written stays. If it is killed while it writes a value of more than 8 bytes, parts of it are written; what
/// is then no value of its type, a `bool` or a `char` in a struct, reads as zero.
///
/// # Python
///
/// `multiprocessing.RawValue`, `Value(…, lock=False)` and what `sharedctypes` makes of a `ctypes` object.
///
/// # Examples
///
/// ```
/// use multiproc_ctypes::RawValue;
///
/// let number = RawValue::new(7.5)?;
/// let same: RawValue<f64> = multiproc_wire::encode(&number)?.decode()?; // By a connection, say.
/// same.set(-1.0);
/// assert_eq!(number.get(), -1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RawValue<T> {
    // Invariant: there is one.
    cells: Cells<T>,
}

impl<T: Shareable> RawValue<T> {
    /// Makes a value.
    ///
    /// # Errors
    ///
    /// [`HeapError`] where there is no memory for it.
    pub fn new(value: T) -> Result<Self, HeapError> {
        Ok(Self { cells: Cells::of(&[value])? })
    }

    /// Makes a value all of whose bytes are zero, as Python does where none is given.
    ///
    /// # Errors
    ///
    /// [`HeapError`] where there is no memory for it.
    pub fn zeroed() -> Result<Self, HeapError> {
        Ok(Self { cells: Cells::zeroed(1)? })
    }

    /// The value now.
    #[must_use]
    #[inline]
    #[doc(alias = "value")]
    pub fn get(&self) -> T {
        self.cells.load(0)
    }

    /// Replaces the value.
    #[inline]
    pub fn set(&self, value: T) {
        self.cells.store(0, value);
    }

    /// A handle to a part of the value, a field of a struct or an item of an array in it, which is then read and written
    /// without touching the rest.
    ///
    /// # Panics
    ///
    /// Panics if the closure returns something else than a part of what it is given.
    ///
    /// # Examples
    ///
    /// ```
    /// # use multiproc_ctypes::RawValue;
    /// let pair = RawValue::new((3, 0.5))?;
    /// let right = pair.field(|pair| &pair.1);
    /// right.set(1.5);
    /// assert_eq!(pair.get(), (3, 1.5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn field<F: Shareable>(&self, find: impl FnOnce(&T) -> &F) -> RawValue<F> {
        RawValue { cells: self.cells.part(0, find) }
    }

    /// Makes a value of its own that is now the same.
    ///
    /// # Errors
    ///
    /// [`HeapError`] where there is no memory for it.
    pub fn copy(&self) -> Result<Self, HeapError> {
        Self::new(self.get())
    }

    /// The value at this place.
    pub(crate) fn at(cells: Cells<T>) -> Self {
        Self { cells }
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for RawValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RawValue").field(&self.get()).finish()
    }
}

impl<T: Shareable> Serialize for RawValue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.cells.send(KIND, serializer)
    }
}

impl<'de, T: Shareable> Deserialize<'de> for RawValue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { cells: Cells::receive(KIND, Some(1), deserializer)? })
    }
}
