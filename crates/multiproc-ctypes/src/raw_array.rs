//! An array without a lock.

use std::{fmt, ops::RangeBounds};

use multiproc_shm::{HeapError, Shareable};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{RawValue, cells::Cells, error::ArrayError, text};

const KIND: u64 = 2;

/// An array that several processes read and write without a lock.
///
/// Its length is fixed. Items are copied in and out, one by one or many at once; there is no slice of them, because
/// others may write to them at any moment. An item of 1, 2, 4 or 8 bytes is always read and written whole by
/// [`get`](Self::get) and [`set`](Self::set); many at once are not of one moment. Where that matters take an
/// [`Array`](crate::Array), or let [`synchronized`](crate::synchronized) add a lock.
///
/// Clones are handles to the same items. So is what arrives when one is sent, as an argument, in a message or as a field,
/// and what a forked child has. The memory is freed with the last handle in any process.
///
/// # If a process dies
///
/// What it has written stays, also where that is only a part. What is then no value of its type, a `bool` or a `char` in
/// a struct, reads as zero.
///
/// # Python
///
/// `multiprocessing.RawArray`, and `Array(…, lock=False)`. A slice with a step is
/// `to_vec().into_iter().step_by(n)`.
///
/// # Examples
///
/// ```
/// use multiproc_ctypes::RawArray;
///
/// let squares = RawArray::from_iter((0..10).map(|i| i * i))?;
/// squares.set(3, -9)?;
/// assert_eq!(squares.get_range(2..5)?, [4, -9, 16]);
/// squares.set_range(..2, &[7, 8])?;
/// assert_eq!(squares.to_vec(), [7, 8, 4, -9, 16, 25, 36, 49, 64, 81]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RawArray<T> {
    cells: Cells<T>,
}

impl<T: Shareable> RawArray<T> {
    /// Makes an array of `len` items whose bytes are zero.
    ///
    /// # Errors
    ///
    /// [`HeapError`] where there is no memory for it.
    #[doc(alias = "zeroed")]
    pub fn new(len: usize) -> Result<Self, HeapError> {
        Ok(Self { cells: Cells::zeroed(len)? })
    }

    /// Makes an array of these items.
    ///
    /// # Errors
    ///
    /// [`HeapError`] where there is no memory for it.
    pub fn from_slice(items: &[T]) -> Result<Self, HeapError> {
        Ok(Self { cells: Cells::of(items)? })
    }

    /// Makes an array of the items of an iterator.
    ///
    /// # Errors
    ///
    /// [`HeapError`] where there is no memory for it.
    #[expect(clippy::should_implement_trait, reason = "there may be no memory, which is an error")]
    pub fn from_iter(items: impl IntoIterator<Item = T>) -> Result<Self, HeapError> {
        Self::from_slice(&items.into_iter().collect::<Vec<_>>())
    }

    /// The number of items.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Returns true if there are no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item at this position now.
    ///
    /// # Errors
    ///
    /// [`ArrayError::Index`].
    #[inline]
    pub fn get(&self, index: usize) -> Result<T, ArrayError> {
        self.cells.check(index)?;
        Ok(self.cells.load(index))
    }

    /// Replaces the item at this position.
    ///
    /// # Errors
    ///
    /// [`ArrayError::Index`].
    #[inline]
    pub fn set(&self, index: usize, value: T) -> Result<(), ArrayError> {
        self.cells.check(index)?;
        self.cells.store(index, value);
        Ok(())
    }

    /// The items of a range, copied out.
    ///
    /// # Errors
    ///
    /// [`ArrayError::Index`].
    #[doc(alias = "slice")]
    pub fn get_range(&self, range: impl RangeBounds<usize>) -> Result<Vec<T>, ArrayError> {
        let range = self.cells.resolve(&range)?;
        Ok(self.cells.load_all(range.start, range.len()))
    }

    /// Replaces the items of a range by as many others.
    ///
    /// # Errors
    ///
    /// [`ArrayError::Index`], [`ArrayError::Length`]; nothing is then written.
    pub fn set_range(
        &self,
        range: impl RangeBounds<usize>,
        values: &[T],
    ) -> Result<(), ArrayError> {
        let range = self.cells.resolve(&range)?;
        if range.len() != values.len() {
            return Err(ArrayError::Length { values: values.len(), items: range.len() });
        }
        self.cells.store_all(range.start, values);
        Ok(())
    }

    /// Copies items from `index` on into `into`, as many as it has room for, without a vector.
    ///
    /// # Errors
    ///
    /// [`ArrayError::Index`] if there are fewer; `into` is then as it was.
    #[inline]
    pub fn read(&self, index: usize, into: &mut [T]) -> Result<(), ArrayError> {
        self.cells.resolve(&(index..index.saturating_add(into.len())))?;
        self.cells.load_slice(index, into);
        Ok(())
    }

    /// All items, copied out.
    #[must_use]
    #[doc(alias = "raw")]
    pub fn to_vec(&self) -> Vec<T> {
        self.cells.load_all(0, self.len())
    }

    /// Replaces every item by `value`.
    pub fn fill(&self, value: T) {
        (0..self.len()).for_each(|at| self.cells.store(at, value));
    }

    /// The items, each as it is when the iterator comes to it.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = T> + DoubleEndedIterator + '_ {
        (0..self.len()).map(|at| self.cells.load(at))
    }

    /// A handle to the item at this position alone, whose fields can then be read and written one by one.
    ///
    /// # Errors
    ///
    /// [`ArrayError::Index`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use multiproc_ctypes::RawArray;
    /// let points = RawArray::from_slice(&[(1.5, -6.25), (2.5, 3.0)])?;
    /// let y = points.item(1)?.field(|point| &point.1);
    /// y.set(y.get() * 2.0);
    /// assert_eq!(points.to_vec(), [(1.5, -6.25), (2.5, 6.0)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn item(&self, index: usize) -> Result<RawValue<T>, ArrayError> {
        self.cells.check(index)?;
        Ok(RawValue::at(self.cells.item(index)))
    }

    /// Makes an array of its own with what the items are now.
    ///
    /// # Errors
    ///
    /// [`HeapError`] where there is no memory for it.
    pub fn copy(&self) -> Result<Self, HeapError> {
        Self::from_slice(&self.to_vec())
    }
}

impl RawArray<u8> {
    /// The bytes up to the first that is zero.
    ///
    /// # Python
    ///
    /// `array.value` of an array of `c_char`; `array.raw` is [`to_vec`](Self::to_vec).
    ///
    /// # Examples
    ///
    /// ```
    /// # use multiproc_ctypes::RawArray;
    /// let text = RawArray::from_slice(b"hello world")?;
    /// text.set_value(b"bye")?;
    /// assert_eq!(text.value(), b"bye");
    /// assert_eq!(text.to_vec(), b"bye\0o world");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn value(&self) -> Vec<u8> {
        text::of(self.to_vec())
    }

    /// Stores bytes at the start, and a zero behind them if there is room.
    ///
    /// # Errors
    ///
    /// [`ArrayError::TooLong`]; nothing is then written.
    pub fn set_value(&self, value: &[u8]) -> Result<(), ArrayError> {
        self.cells.store_all(0, &text::ended(value.to_vec(), self.len())?);
        Ok(())
    }
}

impl RawArray<char> {
    /// The characters up to the first that is zero.
    ///
    /// # Python
    ///
    /// `array.value` of an array of `c_wchar`.
    #[must_use]
    pub fn value(&self) -> String {
        text::of(self.to_vec()).into_iter().collect()
    }

    /// Stores characters at the start, and a zero behind them if there is room.
    ///
    /// # Errors
    ///
    /// [`ArrayError::TooLong`]; nothing is then written.
    pub fn set_value(&self, value: &str) -> Result<(), ArrayError> {
        self.cells.store_all(0, &text::ended(value.chars().collect(), self.len())?);
        Ok(())
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for RawArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RawArray").field(&self.to_vec()).finish()
    }
}

impl<T: Shareable> Serialize for RawArray<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.cells.send(KIND, serializer)
    }
}

impl<'de, T: Shareable> Deserialize<'de> for RawArray<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { cells: Cells::receive(KIND, None, deserializer)? })
    }
}
