//! The lock beside a value or an array.

use std::time::Duration;

use multiproc_sync::{Acquired, Lock, RLock, ReleaseError, SyncError};

/// A lock that a [`Value`](crate::Value), an [`Array`](crate::Array) or [`Synchronized`](crate::Synchronized) can have.
///
/// It keeps others waiting; that nobody has the data twice is seen to beside it, so a lock that is given back too early
/// leads to errors and to nothing worse.
///
/// # If a process dies
///
/// [`acquire`](Self::acquire) gets the lock that it held, as [`Acquired::OwnerDied`] says.
///
/// # Python
///
/// What has `acquire` and `release`; something else is an `AttributeError`, and here does not compile.
///
/// # Examples
///
/// ```
/// use multiproc_ctypes::Value;
/// use multiproc_sync::Lock;
///
/// let lock = Lock::new()?;
/// let value = Value::with_lock(7, lock.clone())?;
/// lock.acquire()?;
/// assert!(value.get_lock().locked());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Locking: Clone {
    /// Waits for the lock, and takes it.
    ///
    /// # Errors
    ///
    /// Those of the lock.
    fn acquire(&self) -> Result<Acquired, SyncError>;

    /// Takes the lock if that is possible at once; none if it is not.
    ///
    /// # Errors
    ///
    /// Those of the lock.
    fn try_acquire(&self) -> Result<Option<Acquired>, SyncError>;

    /// Waits for the lock, for at most `timeout`, and takes it; none if that was not possible in that time.
    ///
    /// # Errors
    ///
    /// Those of the lock.
    fn acquire_timeout(&self, timeout: Duration) -> Result<Option<Acquired>, SyncError>;

    /// Gives the lock back.
    ///
    /// # Errors
    ///
    /// Those of the lock.
    fn release(&self) -> Result<(), ReleaseError>;

    /// Returns true if the calling thread holds the lock.
    ///
    /// A guard asks this before it gives the lock back: somebody may have done so already, and others may have it by now.
    fn is_mine(&self) -> bool;
}

/// What a guard does at its end.
#[inline]
pub(crate) fn give_back(lock: &impl Locking) {
    if lock.is_mine() {
        // Nobody else's by the question, so there is nothing that could be refused.
        let _ = lock.release();
    }
}

macro_rules! locking {
    ($($lock:ident)*) => {
        $(
            impl Locking for $lock {
                #[inline]
                fn acquire(&self) -> Result<Acquired, SyncError> {
                    self.acquire()
                }

                fn try_acquire(&self) -> Result<Option<Acquired>, SyncError> {
                    self.try_acquire()
                }

                fn acquire_timeout(
                    &self,
                    timeout: Duration,
                ) -> Result<Option<Acquired>, SyncError> {
                    self.acquire_timeout(timeout)
                }

                #[inline]
                fn release(&self) -> Result<(), ReleaseError> {
                    self.release()
                }

                #[inline]
                fn is_mine(&self) -> bool {
                    self.is_mine()
                }
            }
        )*
    };
}

locking!(Lock RLock);
