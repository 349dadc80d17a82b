//! The lock.

use std::{fmt, marker::PhantomData, time::Duration};

use multiproc_sys::primitive::Ordering;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Acquired, ReleaseError, SyncError,
    owner::Owner,
    place::{Kind, LOCK, LOCK_SIZE, Place},
    protocol::{
        lock::{RawLock, Stop},
        patience::Patience,
    },
};

/// A lock that one thread of all processes holds at a time, and that any process may give back.
///
/// It takes 16 bytes of shared memory and no descriptor. Clones are handles to the same lock; so is what arrives when one
/// is sent as an argument, in a message or as a field, and what a forked child has.
///
/// It is not recursive: a second [`acquire`](Self::acquire) by the holder waits. What a lock guards is better kept in a
/// [`Mutex`](crate::Mutex), where it fits.
///
/// # If a process dies
///
/// A lock that a dead process holds goes to the next one that acquires it, which is told so by
/// [`Acquired::OwnerDied`], within microseconds. A process counts as dead when it was killed, has ended, or has executed
/// another program. A waiter that is killed takes no wake-up along: another gets it.
///
/// # Python
///
/// `multiprocessing.Lock`. There, a lock whose holder was killed stays held for ever.
///
/// # Examples
///
/// ```
/// use multiproc_sync::Lock;
///
/// let lock = Lock::new()?;
/// {
///     let _guard = lock.guard()?;
///     assert!(lock.try_acquire()?.is_none());
/// }
/// lock.acquire()?;
/// lock.release()?;
/// assert!(lock.release().is_err(), "it was given back already");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Lock {
    place: Place,
}

impl Lock {
    /// Makes a lock, which is free.
    ///
    /// # Errors
    ///
    /// [`SyncError::Memory`], [`SyncError::Table`].
    pub fn new() -> Result<Self, SyncError> {
        Ok(Self { place: Place::new(Kind::Lock, LOCK_SIZE, 1)? })
    }

    /// Waits until the lock is free, and takes it.
    ///
    /// A signal whose handler returns does not end the wait.
    ///
    /// # Errors
    ///
    /// [`SyncError::Abandoned`] if nobody is left who could give it back; [`SyncError::Table`].
    #[inline]
    pub fn acquire(&self) -> Result<Acquired, SyncError> {
        if self.take_free() { Ok(Acquired::Orderly) } else { self.acquire_slowly() }
    }

    #[cold]
    fn acquire_slowly(&self) -> Result<Acquired, SyncError> {
        match self.wait(&mut Patience::endless())? {
            Some(acquired) => Ok(acquired),
            None => Err(SyncError::Abandoned),
        }
    }

    /// Takes the lock if it is free; none if it is not.
    ///
    /// # Errors
    ///
    /// [`SyncError::Table`].
    #[inline]
    pub fn try_acquire(&self) -> Result<Option<Acquired>, SyncError> {
        if self.take_free() { Ok(Some(Acquired::Orderly)) } else { self.try_acquire_slowly() }
    }

    #[cold]
    fn try_acquire_slowly(&self) -> Result<Option<Acquired>, SyncError> {
        Ok(self.raw().try_take(self.place.holder()?).map(Acquired::from))
    }

    /// Waits until the lock is free, for at most `timeout`, and takes it; none if it was not in that time.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Option<Acquired>, SyncError> {
        self.wait(&mut Patience::for_at_most(timeout))
    }

    /// Gives the lock back, whoever holds it.
    ///
    /// # Errors
    ///
    /// [`ReleaseError::NotHeld`] if nobody does.
    #[inline]
    pub fn release(&self) -> Result<(), ReleaseError> {
        if self.raw().release() { Ok(()) } else { Err(ReleaseError::NotHeld) }
    }

    /// Returns true if somebody holds the lock at this moment; a dead process counts until another has acquired it.
    #[must_use]
    pub fn locked(&self) -> bool {
        self.place.wide(LOCK).load(Ordering::Acquire) != 0
    }

    /// Returns true if the calling thread holds the lock; no longer once another has given it back.
    ///
    /// # Python
    ///
    /// `Lock()._semlock._is_mine()`.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = multiproc_sync::Lock::new()?;
    /// let _guard = lock.guard()?;
    /// assert!(lock.is_mine());
    /// assert!(std::thread::scope(|scope| scope.spawn(|| !lock.is_mine()).join().unwrap()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn is_mine(&self) -> bool {
        let me = self.place.holder_if_known();
        me != 0 && self.place.wide(LOCK).load(Ordering::Acquire) == me
    }

    /// Acquires the lock for as long as the returned guard lives.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Python
    ///
    /// `with lock:`.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = multiproc_sync::Lock::new()?;
    /// let guard = lock.guard()?;
    /// assert!(lock.locked() && !guard.acquired().owner_died());
    /// drop(guard);
    /// assert!(!lock.locked());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn guard(&self) -> Result<LockGuard<'_>, SyncError> {
        let acquired = self.acquire()?;
        Ok(LockGuard { lock: self, acquired, on_this_thread: PhantomData })
    }

    #[inline]
    pub(crate) fn raw(&self) -> RawLock<'_, Place> {
        self.place.raw_lock()
    }

    /// Takes a free lock; false also where the process has no name in the table yet.
    #[inline]
    fn take_free(&self) -> bool {
        let me = self.place.holder_if_known();
        me != 0 && self.raw().take_free(me)
    }

    /// Waits; none if the time is over.
    fn wait(&self, patience: &mut Patience) -> Result<Option<Acquired>, SyncError> {
        match self.raw().take(self.place.holder()?, patience) {
            Ok(taken) => Ok(Some(taken.into())),
            Err(Stop::Over) => Ok(None),
            Err(Stop::Abandoned) => Err(SyncError::Abandoned),
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }
}

impl fmt::Debug for Lock {
    /// Says who holds it: `None`, the name of this process (with that of the thread, unless it is the main one),
    /// `SomeOtherThread` or `SomeOtherProcess`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("owner", &Owner::of(&self.place, LOCK)).finish()
    }
}

impl Serialize for Lock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.place.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Lock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { place: Place::deserialize(deserializer)?.check(Kind::Lock, LOCK_SIZE, 1)? })
    }
}

/// A lock, held until this is dropped; it stays on its thread.
///
/// # If a process dies
///
/// The lock that the guard stands for goes to the next one that acquires it, as [`Lock`] says.
///
/// # Examples
///
/// ```compile_fail,E0277
/// let lock = multiproc_sync::Lock::new().unwrap();
/// let guard = lock.guard().unwrap();
/// std::thread::scope(|scope| scope.spawn(move || drop(guard)));
/// ```
#[must_use = "the lock is given back when the guard is dropped"]
pub struct LockGuard<'a> {
    lock: &'a Lock,
    acquired: Acquired,
    on_this_thread: PhantomData<*const ()>,
}

impl LockGuard<'_> {
    /// How the lock was acquired.
    #[must_use]
    pub fn acquired(&self) -> Acquired {
        self.acquired
    }
}

impl Drop for LockGuard<'_> {
    fn drop(&mut self) {
        // Somebody may have given it back, and others may have it by now; and a forked child never had it.
        if self.lock.is_mine() {
            self.lock.raw().release();
        }
    }
}

impl fmt::Debug for LockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockGuard").field("acquired", &self.acquired).finish_non_exhaustive()
    }
}
