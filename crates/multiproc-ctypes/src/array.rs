//! An array with a lock.

use std::{
    fmt,
    ops::{Deref, DerefMut, RangeBounds},
    time::Duration,
};

use multiproc_shm::Shareable;
use multiproc_sync::{RLock, SyncError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    AccessError, ArrayError, Locking,
    cells::Cells,
    guarded::{Guarded, Held},
    text,
};

const KIND: u64 = 4;

/// An array that one thread of all processes has at a time.
///
/// Its length is fixed. It has a reentrant lock of its own, or the one that it is given. A [guard](Self::lock) holds the
/// lock and derefs to a slice; the other methods take the lock for a moment and copy. Who holds the lock itself, by
/// [`get_lock`](Self::get_lock), may use all of them. While a guard lives, everything else on the same thread is an
/// error, because there is one `&mut [T]` at most.
///
/// Clones are handles to the same items. So is what arrives when one is sent, as an argument, in a message or as a field,
/// and what a forked child has. The memory is freed with the last handle in any process.
///
/// # If a process dies
///
/// The lock that it held goes to the next, whose [guard](ArrayGuard::owner_died) tells; the items are as they were left,
/// which may be half changed. What is then no value of its type, a `bool` or a `char`, is zero.
///
/// # Python
///
/// `multiprocessing.Array`. Slices with steps, negative positions and all else that sequences have are what the slice has
/// to which the guard derefs.
///
/// # Examples
///
/// ```
/// use multiproc_ctypes::Array;
///
/// let numbers = Array::<i32>::from_iter(0..10)?;
/// numbers.set(3, -9)?;
/// numbers.set_range(..2, &[7, 8])?;
/// {
///     let mut numbers = numbers.lock()?;
///     numbers[5..].reverse();
///     assert_eq!(numbers.iter().sum::<i32>(), 47);
/// }
/// assert_eq!(numbers.to_vec()?, [7, 8, 2, -9, 4, 9, 8, 7, 6, 5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Array<T, L = RLock> {
    guarded: Guarded<T, L>,
}

impl<T: Shareable> Array<T> {
    /// Makes an array of `len` items whose bytes are zero, with a reentrant lock of its own.
    ///
    /// # Errors
    ///
    /// [`SyncError::Memory`], [`SyncError::Table`].
    #[doc(alias = "zeroed")]
    pub fn new(len: usize) -> Result<Self, SyncError> {
        Ok(Self { guarded: Guarded::new(Cells::zeroed(len)?, RLock::new()?)? })
    }

    /// Makes an array of these items, with a reentrant lock of its own.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_slice(items: &[T]) -> Result<Self, SyncError> {
        Self::with_lock(items, RLock::new()?)
    }

    /// Makes an array of the items of an iterator, with a reentrant lock of its own.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    #[expect(clippy::should_implement_trait, reason = "there may be no memory, which is an error")]
    pub fn from_iter(items: impl IntoIterator<Item = T>) -> Result<Self, SyncError> {
        Self::from_slice(&items.into_iter().collect::<Vec<_>>())
    }
}

impl<T: Shareable, L: Locking> Array<T, L> {
    /// Makes an array of these items with this lock, which may be that of other objects too.
    ///
    /// # Errors
    ///
    /// [`SyncError::Memory`], [`SyncError::Table`].
    ///
    /// # Python
    ///
    /// `Array(typecode, items, lock=lock)`.
    pub fn with_lock(items: &[T], lock: L) -> Result<Self, SyncError> {
        Ok(Self { guarded: Guarded::new(Cells::of(items)?, lock)? })
    }

    /// The number of items.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.guarded.len()
    }

    /// Returns true if there are no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits for the lock, and returns the item at this position.
    ///
    /// # Errors
    ///
    /// [`AccessError::Array`] if there is none; [`AccessError::InUse`], [`AccessError::Lock`].
    #[inline]
    pub fn get(&self, index: usize) -> Result<T, AccessError> {
        let held = self.guarded.hold()?;
        held.cells().check(index)?;
        Ok(held.cells().load(index))
    }

    /// Waits for the lock, and replaces the item at this position.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    #[inline]
    pub fn set(&self, index: usize, value: T) -> Result<(), AccessError> {
        let held = self.guarded.hold()?;
        held.cells().check(index)?;
        held.cells().store(index, value);
        Ok(())
    }

    /// Waits for the lock, and returns the items of a range.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    #[doc(alias = "slice")]
    pub fn get_range(&self, range: impl RangeBounds<usize>) -> Result<Vec<T>, AccessError> {
        let held = self.guarded.hold()?;
        let range = held.cells().resolve(&range)?;
        Ok(held.cells().load_all(range.start, range.len()))
    }

    /// Waits for the lock, and replaces the items of a range by as many others.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); also where there are more or fewer. Nothing is then written.
    pub fn set_range(
        &self,
        range: impl RangeBounds<usize>,
        values: &[T],
    ) -> Result<(), AccessError> {
        let held = self.guarded.hold()?;
        let range = held.cells().resolve(&range)?;
        if range.len() != values.len() {
            let (values, items) = (values.len(), range.len());
            return Err(ArrayError::Length { values, items }.into());
        }
        held.cells().store_all(range.start, values);
        Ok(())
    }

    /// Waits for the lock, and returns all items.
    ///
    /// # Errors
    ///
    /// [`AccessError::InUse`], [`AccessError::Lock`].
    #[doc(alias = "raw")]
    pub fn to_vec(&self) -> Result<Vec<T>, AccessError> {
        self.get_range(..)
    }

    /// Waits for the lock, and has the items for as long as the returned guard lives.
    ///
    /// # Errors
    ///
    /// As [`to_vec`](Self::to_vec).
    ///
    /// # Python
    ///
    /// `with array:`, and `array.get_obj()`.
    #[inline]
    #[doc(alias = "get_obj")]
    pub fn lock(&self) -> Result<ArrayGuard<'_, T, L>, AccessError> {
        Ok(ArrayGuard(self.guarded.hold()?))
    }

    /// Has the items if the lock is free; none if it is not.
    ///
    /// # Errors
    ///
    /// As [`to_vec`](Self::to_vec).
    pub fn try_lock(&self) -> Result<Option<ArrayGuard<'_, T, L>>, AccessError> {
        Ok(self.guarded.try_hold()?.map(ArrayGuard))
    }

    /// Waits for the lock, for at most `timeout`, and has the items; none if it was not free in that time.
    ///
    /// # Errors
    ///
    /// As [`to_vec`](Self::to_vec).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let array = multiproc_ctypes::Array::from_slice(&[7, 8])?;
    /// let guard = array.lock_timeout(Duration::from_secs(1))?.ok_or("nobody else has it")?;
    /// assert_eq!(*guard, [7, 8]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lock_timeout(
        &self,
        timeout: Duration,
    ) -> Result<Option<ArrayGuard<'_, T, L>>, AccessError> {
        Ok(self.guarded.hold_timeout(timeout)?.map(ArrayGuard))
    }

    /// The lock. While this thread holds it, others wait.
    #[must_use]
    pub fn get_lock(&self) -> &L {
        self.guarded.lock()
    }
}

impl<L: Locking> Array<u8, L> {
    /// Waits for the lock, and returns the bytes up to the first that is zero.
    ///
    /// # Errors
    ///
    /// [`AccessError::InUse`], [`AccessError::Lock`].
    ///
    /// # Python
    ///
    /// `array.value` of an array of `c_char`; `array.raw` is [`to_vec`](Self::to_vec).
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_ctypes::Array;
    ///
    /// let text = Array::from_slice(b"hello world")?;
    /// text.set_value(&text.value()?.to_ascii_uppercase())?;
    /// assert_eq!(text.value()?, b"HELLO WORLD");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn value(&self) -> Result<Vec<u8>, AccessError> {
        self.to_vec().map(text::of)
    }

    /// Waits for the lock, and stores bytes at the start, and a zero behind them if there is room.
    ///
    /// # Errors
    ///
    /// [`AccessError::Array`] if there is no room; [`AccessError::InUse`], [`AccessError::Lock`].
    pub fn set_value(&self, value: &[u8]) -> Result<(), AccessError> {
        let value = text::ended(value.to_vec(), self.len())?;
        self.set_range(..value.len(), &value)
    }
}

impl<L: Locking> Array<char, L> {
    /// Waits for the lock, and returns the characters up to the first that is zero.
    ///
    /// # Errors
    ///
    /// [`AccessError::InUse`], [`AccessError::Lock`].
    ///
    /// # Python
    ///
    /// `array.value` of an array of `c_wchar`.
    pub fn value(&self) -> Result<String, AccessError> {
        Ok(text::of(self.to_vec()?).into_iter().collect())
    }

    /// Waits for the lock, and stores characters at the start, and a zero behind them if there is room.
    ///
    /// # Errors
    ///
    /// [`AccessError::Array`] if there is no room; [`AccessError::InUse`], [`AccessError::Lock`].
    pub fn set_value(&self, value: &str) -> Result<(), AccessError> {
        let value = text::ended(value.chars().collect(), self.len())?;
        self.set_range(..value.len(), &value)
    }
}

impl<T: Shareable + fmt::Debug, L: Locking> fmt::Debug for Array<T, L> {
    /// Does not wait: where somebody else has the items it says `<locked>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("Array");
        match self.guarded.try_hold() {
            Ok(Some(held)) => tuple.field(&held.items()).finish(),
            _ => tuple.field(&format_args!("<locked>")).finish(),
        }
    }
}

impl<T: Shareable, L: Serialize> Serialize for Array<T, L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.guarded.send::<KIND, _>(serializer)
    }
}

impl<'de, T: Shareable, L: Locking + Deserialize<'de>> Deserialize<'de> for Array<T, L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { guarded: Guarded::receive::<KIND, _>(deserializer)? })
    }
}

/// The items of an array in shared memory, which nobody else has until this is dropped; it stays on its thread.
///
/// While it lives, this thread starts no process by `fork`: the child would have the items too.
///
/// # If a process dies
///
/// The items are as they were left, and the next guard [tells](Self::owner_died).
#[must_use = "the lock is given back when the guard is dropped"]
pub struct ArrayGuard<'a, T: Shareable, L: Locking = RLock>(Held<'a, T, L>);

impl<T: Shareable, L: Locking> ArrayGuard<'_, T, L> {
    /// Returns true if a process died with the lock, and nobody has taken it since: the items may be half changed.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.0.owner_died()
    }
}

impl<T: Shareable, L: Locking> Deref for ArrayGuard<'_, T, L> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        self.0.items()
    }
}

impl<T: Shareable, L: Locking> DerefMut for ArrayGuard<'_, T, L> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        self.0.items_mut()
    }
}

impl<T: Shareable + fmt::Debug, L: Locking> fmt::Debug for ArrayGuard<'_, T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ArrayGuard").field(&&**self).finish()
    }
}
