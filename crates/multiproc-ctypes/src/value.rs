//! A value with a lock.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    time::Duration,
};

use multiproc_shm::Shareable;
use multiproc_sync::{RLock, SyncError};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    AccessError, Locking,
    cells::Cells,
    guarded::{Guarded, Held},
};

const KIND: u64 = 3;

/// A value that one thread of all processes has at a time.
///
/// It has a reentrant lock of its own, or the one that it is given. [`get`](Self::get), [`set`](Self::set) and
/// [`update`](Self::update) take the lock for a moment; a [guard](Self::lock) holds it, and derefs to the value. Who
/// holds the lock itself, by [`get_lock`](Self::get_lock), may use all of them. While a guard lives, or a closure of
/// `update` runs, everything else on the same thread is an error, because there is one `&mut T` at most.
///
/// Clones are handles to the same value. So is what arrives when one is sent, as an argument, in a message or as a field,
/// and what a forked child has. The memory is freed with the last handle in any process.
///
/// # If a process dies
///
/// The lock that it held goes to the next, whose [guard](ValueGuard::owner_died) tells; the value is as it was left, which
/// may be half changed. What is then no value of its type, a `bool` or a `char`, is zero. `Mutex` of `multiproc_sync`
/// makes that an error until somebody has repaired the value.
///
/// # Python
///
/// `multiprocessing.Value`. `value.value += 1` is not one step there, either, nor is a `get` and a `set` here: take
/// `update`, or a guard.
///
/// # Examples
///
/// ```
/// use multiproc_ctypes::Value;
///
/// let total = Value::new(0i64)?;
/// total.set(5)?;
/// total.update(|total| *total += 1)?;
/// *total.lock()? *= 7;
/// assert_eq!(total.get()?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A guard stays on its thread:
///
/// ```compile_fail,E0277
/// let value = multiproc_ctypes::Value::new(0).unwrap();
/// let guard = value.lock().unwrap();
/// std::thread::scope(|scope| scope.spawn(move || drop(guard)));
/// ```
///
/// And in its process:
///
/// ```compile_fail,E0277
/// fn send(message: impl serde::Serialize) {}
///
/// let value = multiproc_ctypes::Value::new(0).unwrap();
/// send(value.lock().unwrap());
/// ```
#[derive(Clone)]
pub struct Value<T, L = RLock> {
    // Invariant: there is one.
    guarded: Guarded<T, L>,
}

impl<T: Shareable> Value<T> {
    /// Makes a value with a reentrant lock of its own.
    ///
    /// # Errors
    ///
    /// [`SyncError::Memory`], [`SyncError::Table`].
    pub fn new(value: T) -> Result<Self, SyncError> {
        Self::with_lock(value, RLock::new()?)
    }

    /// Makes a value all of whose bytes are zero, as Python does where none is given.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn zeroed() -> Result<Self, SyncError> {
        Ok(Self { guarded: Guarded::new(Cells::zeroed(1)?, RLock::new()?)? })
    }
}

impl<T: Shareable, L: Locking> Value<T, L> {
    /// Makes a value with this lock, which may be that of other values too.
    ///
    /// # Errors
    ///
    /// [`SyncError::Memory`], [`SyncError::Table`].
    ///
    /// # Python
    ///
    /// `Value(typecode, value, lock=lock)`.
    pub fn with_lock(value: T, lock: L) -> Result<Self, SyncError> {
        Ok(Self { guarded: Guarded::new(Cells::of(&[value])?, lock)? })
    }

    /// Waits for the lock, and returns the value.
    ///
    /// # Errors
    ///
    /// [`AccessError::InUse`], [`AccessError::Lock`].
    #[inline]
    #[doc(alias = "value")]
    pub fn get(&self) -> Result<T, AccessError> {
        Ok(self.guarded.hold()?.cells().load(0))
    }

    /// Waits for the lock, and replaces the value.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    #[inline]
    pub fn set(&self, value: T) -> Result<(), AccessError> {
        self.guarded.hold()?.cells().store(0, value);
        Ok(())
    }

    /// Waits for the lock, and changes the value in one step; what the closure returns is returned.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// ```
    /// let next = multiproc_ctypes::Value::new(7)?;
    /// let number = next.update(|next| std::mem::replace(next, *next + 1))?;
    /// assert_eq!((number, next.get()?), (7, 8));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R, AccessError> {
        Ok(change(&mut *self.lock()?))
    }

    /// Waits for the lock, and has the value for as long as the returned guard lives.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Python
    ///
    /// `with value:`, and `value.get_obj()`.
    #[inline]
    #[doc(alias = "get_obj")]
    pub fn lock(&self) -> Result<ValueGuard<'_, T, L>, AccessError> {
        Ok(ValueGuard(self.guarded.hold()?))
    }

    /// Has the value if the lock is free; none if it is not.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn try_lock(&self) -> Result<Option<ValueGuard<'_, T, L>>, AccessError> {
        Ok(self.guarded.try_hold()?.map(ValueGuard))
    }

    /// Waits for the lock, for at most `timeout`, and has the value; none if it was not free in that time.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let value = multiproc_ctypes::Value::new(7)?;
    /// let guard = value.lock_timeout(Duration::from_secs(1))?.ok_or("nobody else has it")?;
    /// assert_eq!(*guard, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lock_timeout(
        &self,
        timeout: Duration,
    ) -> Result<Option<ValueGuard<'_, T, L>>, AccessError> {
        Ok(self.guarded.hold_timeout(timeout)?.map(ValueGuard))
    }

    /// The lock. While this thread holds it, others wait.
    ///
    /// # Examples
    ///
    /// ```
    /// let value = multiproc_ctypes::Value::new(7)?;
    /// let held = value.get_lock().guard()?;
    /// value.set(value.get()? + 1)?; // The lock is reentrant.
    /// drop(held);
    /// assert_eq!(value.get()?, 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn get_lock(&self) -> &L {
        self.guarded.lock()
    }
}

impl<T: Shareable + fmt::Debug, L: Locking> fmt::Debug for Value<T, L> {
    /// Does not wait: where somebody else has the value it says `<locked>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("Value");
        match self.guarded.try_hold() {
            Ok(Some(held)) => tuple.field(&held.cells().load(0)).finish(),
            _ => tuple.field(&format_args!("<locked>")).finish(),
        }
    }
}

impl<T: Shareable, L: Serialize> Serialize for Value<T, L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.guarded.send::<KIND, _>(serializer)
    }
}

impl<'de, T: Shareable, L: Locking + Deserialize<'de>> Deserialize<'de> for Value<T, L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let guarded = Guarded::receive::<KIND, _>(deserializer)?;
        if guarded.len() != 1 {
            return Err(de::Error::custom("what arrived is not one value"));
        }
        Ok(Self { guarded })
    }
}

/// A value in shared memory, which nobody else has until this is dropped; it stays on its thread.
///
/// While it lives, this thread starts no process by `fork`: the child would have the value too.
///
/// # If a process dies
///
/// The value is as it was left, and the next guard [tells](Self::owner_died).
#[must_use = "the lock is given back when the guard is dropped"]
pub struct ValueGuard<'a, T: Shareable, L: Locking = RLock>(Held<'a, T, L>);

impl<T: Shareable, L: Locking> ValueGuard<'_, T, L> {
    /// Returns true if a process died with the lock, and nobody has taken it since: the value may be half changed.
    #[must_use]
    pub fn owner_died(&self) -> bool {
        self.0.owner_died()
    }
}

impl<T: Shareable, L: Locking> Deref for ValueGuard<'_, T, L> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0.items()[0]
    }
}

impl<T: Shareable, L: Locking> DerefMut for ValueGuard<'_, T, L> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0.items_mut()[0]
    }
}

impl<T: Shareable + fmt::Debug, L: Locking> fmt::Debug for ValueGuard<'_, T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ValueGuard").field(&**self).finish()
    }
}
