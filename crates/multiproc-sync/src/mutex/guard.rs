//! The value, in hand.

#![expect(unsafe_code, reason = "lends the value that the lock makes exclusive")]

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use multiproc_image::lent::Lent;
use multiproc_shm::Shareable;

use super::Mutex;

/// A shared value that nobody else has until this is dropped; it stays on its thread.
///
/// While it lives, this thread starts no process by `fork`: the child would have the value too.
///
/// # If a process dies
///
/// The value is in doubt, as [`Mutex`] says.
///
/// # Examples
///
/// ```compile_fail,E0277
/// let mutex = multiproc_sync::Mutex::new(0u64).unwrap();
/// let guard = mutex.lock().unwrap();
/// std::thread::scope(|scope| scope.spawn(move || drop(guard)));
/// ```
#[must_use = "the value is let go when the guard is dropped"]
pub struct MutexGuard<'a, T> {
    // Invariant: the lock is held by this thread from when this is made until it is dropped.
    mutex: &'a Mutex<T>,
    #[expect(dead_code, reason = "for its drop: until then this thread does not fork")]
    lent: Lent,
    on_this_thread: PhantomData<*const ()>,
}

// SAFETY: Shared by threads it lends `&T` only; it has to be dropped by its own.
unsafe impl<T: Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T: Shareable> MutexGuard<'a, T> {
    /// With the lock taken.
    #[inline(always)]
    pub(super) fn new(mutex: &'a Mutex<T>) -> Self {
        if std::thread::panicking() {
            mutex.note_panic();
        }
        // One word, so that it is returned in a register.
        Self { mutex, lent: Lent::new(), on_this_thread: PhantomData }
    }
}

impl<T: Shareable> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: Valid and aligned; while the lock is held nobody writes to it but through this guard. The bytes are a
        // `T`: such was written before the lock was given back, or they were repaired when it was taken from the dead.
        unsafe { self.mutex.value().as_ref() }
    }
}

impl<T: Shareable> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: As in `deref`, and nobody reads them either.
        unsafe { self.mutex.value().as_mut() }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.mutex.release();
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
