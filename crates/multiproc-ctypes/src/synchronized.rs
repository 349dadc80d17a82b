//! A lock for what has none.

use std::{fmt, marker::PhantomData, ops::Deref, time::Duration};

use multiproc_shm::{HeapError, Shareable};
use multiproc_sync::{Acquired, RLock, SyncError};
use serde::{Deserialize, Serialize};

use crate::{AccessError, Locking, RawArray, RawValue, locking::give_back};

/// A shared object without a lock: a [`RawValue`] or a [`RawArray`].
///
/// # Python
///
/// What `sharedctypes.synchronized` and `sharedctypes.copy` take.
///
/// # Examples
///
/// ```
/// use multiproc_ctypes::{Raw, RawArray};
///
/// fn twice<R: Raw>(object: &R) -> Result<(R, R), multiproc_ctypes::HeapError> {
///     Ok((multiproc_ctypes::copy(object)?, multiproc_ctypes::copy(object)?))
/// }
///
/// let (one, other) = twice(&RawArray::from_slice(b"ab")?)?;
/// one.set(0, b'x')?;
/// assert_eq!((one.to_vec(), other.to_vec()), (b"xb".to_vec(), b"ab".to_vec()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Raw: Sized {
    /// Makes an object of its own with what this one has now.
    ///
    /// # Errors
    ///
    /// [`HeapError`] where there is no memory for it.
    fn copy(&self) -> Result<Self, HeapError>;
}

impl<T: Shareable> Raw for RawValue<T> {
    fn copy(&self) -> Result<Self, HeapError> {
        self.copy()
    }
}

impl<T: Shareable> Raw for RawArray<T> {
    fn copy(&self) -> Result<Self, HeapError> {
        self.copy()
    }
}

/// Makes a shared object of its own with what `object` has now.
///
/// A clone is another handle to the same memory; this is other memory.
///
/// # Errors
///
/// [`HeapError`] where there is no memory for it.
///
/// # Python
///
/// `multiprocessing.sharedctypes.copy`.
///
/// # Examples
///
/// ```
/// use multiproc_ctypes::{RawValue, copy};
///
/// let original = RawValue::new((2, 5.0))?;
/// let copied = copy(&original)?;
/// original.set((0, 0.0));
/// assert_eq!(copied.get(), (2, 5.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn copy<R: Raw>(object: &R) -> Result<R, HeapError> {
    object.copy()
}

/// Puts a reentrant lock beside a shared object that has none.
///
/// # Errors
///
/// [`SyncError::Memory`], [`SyncError::Table`].
///
/// # Python
///
/// `multiprocessing.sharedctypes.synchronized`.
///
/// # Examples
///
/// ```
/// use multiproc_ctypes::{RawValue, synchronized};
///
/// let point = synchronized(RawValue::new((1.5, -6.25))?)?;
/// {
///     let point = point.lock()?;
///     let (x, y) = point.get();
///     point.set((x * x, y * y));
/// }
/// assert_eq!(point.get_obj().get(), (2.25, 39.0625));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn synchronized<R: Raw>(object: R) -> Result<Synchronized<R>, SyncError> {
    Ok(Synchronized::with_lock(object, RLock::new()?))
}

/// A shared object with a lock beside it, made by [`synchronized`].
///
/// The lock keeps out who asks for it. Others may have handles to the object without it, so there is no reference to the
/// data to be had, as [`Value`](crate::Value) and [`Array`](crate::Array) give; the guard derefs to the object.
///
/// # If a process dies
///
/// The lock that it held goes to the next, whose [guard](SynchronizedGuard::owner_died) tells.
///
/// # Python
///
/// What `multiprocessing.sharedctypes.synchronized` returns.
#[derive(Clone, Serialize, Deserialize)]
pub struct Synchronized<R, L = RLock> {
    object: R,
    lock: L,
}

impl<R: Raw, L: Locking> Synchronized<R, L> {
    /// Puts this lock beside an object.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_ctypes::{RawArray, Synchronized};
    /// use multiproc_sync::Lock;
    ///
    /// let numbers = Synchronized::with_lock(RawArray::<i32>::new(3)?, Lock::new()?);
    /// numbers.lock()?.set(1, 7)?;
    /// assert!(!numbers.get_lock().locked());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_lock(object: R, lock: L) -> Self {
        Self { object, lock }
    }

    /// Waits for the lock, and holds it for as long as the returned guard lives.
    ///
    /// # Errors
    ///
    /// [`AccessError::Lock`].
    pub fn lock(&self) -> Result<SynchronizedGuard<'_, R, L>, AccessError> {
        Ok(self.begin(self.lock.acquire()?))
    }

    /// Holds the lock if it is free; none if it is not.
    ///
    /// # Errors
    ///
    /// [`AccessError::Lock`].
    pub fn try_lock(&self) -> Result<Option<SynchronizedGuard<'_, R, L>>, AccessError> {
        Ok(self.lock.try_acquire()?.map(|acquired| self.begin(acquired)))
    }

    /// Waits for the lock, for at most `timeout`, and holds it; none if it was not free in that time.
    ///
    /// # Errors
    ///
    /// [`AccessError::Lock`].
    pub fn lock_timeout(
        &self,
        timeout: Duration,
    ) -> Result<Option<SynchronizedGuard<'_, R, L>>, AccessError> {
        Ok(self.lock.acquire_timeout(timeout)?.map(|acquired| self.begin(acquired)))
    }

    fn begin(&self, acquired: Acquired) -> SynchronizedGuard<'_, R, L> {
        let owner_died = acquired.owner_died();
        SynchronizedGuard { object: self, owner_died, on_this_thread: PhantomData }
    }

    /// The object, without regard to the lock.
    #[must_use]
    pub fn get_obj(&self) -> &R {
        &self.object
    }

    /// The lock.
    #[must_use]
    pub fn get_lock(&self) -> &L {
        &self.lock
    }
}

impl<R: fmt::Debug, L> fmt::Debug for Synchronized<R, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Synchronized").field(&self.object).finish()
    }
}

/// A shared object whose lock is held until this is dropped; it stays on its thread.
///
/// # If a process dies
///
/// The lock goes to the next, whose guard [tells](Self::owner_died).
#[must_use = "the lock is given back when the guard is dropped"]
pub struct SynchronizedGuard<'a, R: Raw, L: Locking = RLock> {
    object: &'a Synchronized<R, L>,
    owner_died: bool,
    on_this_thread: PhantomData<*const ()>,
}

impl<R: Raw, L: Locking> SynchronizedGuard<'_, R, L> {
    /// Returns true if a process died with the lock, and nobody has taken it since: the data may be half changed.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl<R: Raw, L: Locking> Deref for SynchronizedGuard<'_, R, L> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.object.object
    }
}

impl<R: Raw, L: Locking> Drop for SynchronizedGuard<'_, R, L> {
    fn drop(&mut self) {
        // In the child of a fork it is not.
        give_back(&self.object.lock);
    }
}

impl<R: Raw + fmt::Debug, L: Locking> fmt::Debug for SynchronizedGuard<'_, R, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SynchronizedGuard").field(&**self).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Array, Value};

    #[test]
    fn only_messages_carry_shared_objects() {
        let (raw, value) = (RawValue::new(1).unwrap(), Value::new(1).unwrap());
        let said = [
            serde_json::to_string(&raw),
            serde_json::to_string(&value),
            serde_json::to_string(&Array::<u8>::new(1).unwrap()),
            serde_json::to_string(&synchronized(raw.clone()).unwrap()),
        ];
        for said in said {
            let said = said.unwrap_err().to_string();
            assert!(said.contains("only inside a message"), "{said}");
        }
    }
}
