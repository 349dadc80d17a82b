//! The reentrant lock.

use std::{fmt, marker::PhantomData, time::Duration};

use multiproc_sys::primitive::Ordering::{Acquire, Relaxed};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Acquired, ReleaseError, SyncError,
    owner::Owner,
    place::{Kind, LOCK, LOCK_SIZE, Place},
    protocol::{
        lock::{RawLock, Stop, Taken},
        patience::Patience,
    },
};

/// How often the holder has acquired it beyond the first time; written by the holder only, and 0 while there is none.
const NESTED: usize = LOCK_SIZE;
const SIZE: usize = NESTED + 4;

/// A lock that its holder may acquire again, and that only its holder gives back, as often as it was acquired.
///
/// The holder is one thread of one process. It takes 16 bytes of shared memory and no descriptor. Clones are handles to
/// the same lock; so is what arrives when one is sent as an argument, in a message or as a field, and what a forked child
/// has. What a forking thread holds its child does not.
///
/// # If a process dies
///
/// As with a [`Lock`](crate::Lock): the next one that acquires it gets [`Acquired::OwnerDied`], at level 1, whatever the
/// dead one's level was.
///
/// # Python
///
/// `multiprocessing.RLock`.
///
/// # Examples
///
/// ```
/// use multiproc_sync::RLock;
///
/// let lock = RLock::new()?;
/// lock.acquire()?;
/// lock.acquire()?;
/// lock.release()?;
/// assert!(lock.locked());
/// lock.release()?;
/// assert!(lock.release().is_err(), "this thread does not hold it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RLock {
    place: Place,
}

impl RLock {
    /// Makes a lock, which is free.
    ///
    /// # Errors
    ///
    /// [`SyncError::Memory`], [`SyncError::Table`].
    pub fn new() -> Result<Self, SyncError> {
        Ok(Self { place: Place::new(Kind::RLock, SIZE, 1)? })
    }

    /// Waits until the lock is free or the caller's, and takes it once more.
    ///
    /// A signal whose handler returns does not end the wait.
    ///
    /// # Errors
    ///
    /// [`SyncError::Abandoned`] if nobody is left who could give it back; [`SyncError::Table`].
    ///
    /// # Panics
    ///
    /// Panics if it is acquired 2³² times without being released.
    #[inline]
    pub fn acquire(&self) -> Result<Acquired, SyncError> {
        if self.take_at_once() { Ok(Acquired::Orderly) } else { self.acquire_slowly() }
    }

    #[cold]
    fn acquire_slowly(&self) -> Result<Acquired, SyncError> {
        match self.wait(&mut Patience::endless())? {
            Some(acquired) => Ok(acquired),
            None => Err(SyncError::Abandoned),
        }
    }

    /// Takes the lock once more if it is free or the caller's; none if it is not.
    ///
    /// # Errors
    ///
    /// [`SyncError::Table`].
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire).
    #[inline]
    pub fn try_acquire(&self) -> Result<Option<Acquired>, SyncError> {
        if self.take_at_once() { Ok(Some(Acquired::Orderly)) } else { self.try_acquire_slowly() }
    }

    #[cold]
    fn try_acquire_slowly(&self) -> Result<Option<Acquired>, SyncError> {
        let taken = self.raw().try_take(self.place.holder()?);
        Ok(taken.map(|taken| self.taken(taken, 0)))
    }

    /// Waits until the lock is free or the caller's, for at most `timeout`, and takes it once more; none if it was not in
    /// that time.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Option<Acquired>, SyncError> {
        self.wait(&mut Patience::for_at_most(timeout))
    }

    /// Gives the lock back once; the last time makes it free.
    ///
    /// # Errors
    ///
    /// [`ReleaseError::NotOwner`] if the calling thread does not hold it; nothing changes then.
    #[inline]
    pub fn release(&self) -> Result<(), ReleaseError> {
        if !self.is_mine() {
            return Err(ReleaseError::NotOwner);
        }
        let nested = self.place.word(NESTED);
        match nested.load(Relaxed) {
            0 => {
                self.raw().release();
            }
            more => nested.store(more - 1, Relaxed),
        }
        Ok(())
    }

    /// Returns true if somebody holds the lock at this moment; a dead process counts until another has acquired it.
    #[must_use]
    pub fn locked(&self) -> bool {
        self.place.wide(LOCK).load(Acquire) != 0
    }

    /// Returns true if the calling thread holds the lock, however often it has acquired it.
    ///
    /// # Python
    ///
    /// `RLock()._semlock._is_mine()`.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = multiproc_sync::RLock::new()?;
    /// let _guard = lock.guard()?;
    /// assert!(lock.is_mine());
    /// assert!(std::thread::scope(|scope| scope.spawn(|| !lock.is_mine()).join().unwrap()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn is_mine(&self) -> bool {
        self.holds(self.place.holder_if_known())
    }

    /// Acquires the lock once for as long as the returned guard lives.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
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
    /// let lock = multiproc_sync::RLock::new()?;
    /// let outer = lock.guard()?;
    /// drop(lock.guard()?);
    /// assert!(lock.locked());
    /// drop(outer);
    /// assert!(!lock.locked());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn guard(&self) -> Result<RLockGuard<'_>, SyncError> {
        let acquired = self.acquire()?;
        Ok(RLockGuard { lock: self, acquired, on_this_thread: PhantomData })
    }

    #[inline]
    pub(crate) fn raw(&self) -> RawLock<'_, Place> {
        self.place.raw_lock()
    }

    /// Takes a lock once more that is free or the caller's; false also where the process has no name in the table yet.
    #[inline]
    fn take_at_once(&self) -> bool {
        let me = self.place.holder_if_known();
        if me != 0 && self.raw().take_free(me) {
            return true;
        }
        let is_mine = self.holds(me);
        if is_mine {
            self.nest();
        }
        is_mine
    }

    /// Waits; none if the time is over.
    fn wait(&self, patience: &mut Patience) -> Result<Option<Acquired>, SyncError> {
        if self.take_at_once() {
            return Ok(Some(Acquired::Orderly));
        }
        match self.raw().take(self.place.holder()?, patience) {
            Ok(taken) => Ok(Some(self.taken(taken, 0))),
            Err(Stop::Over) => Ok(None),
            Err(Stop::Abandoned) => Err(SyncError::Abandoned),
        }
    }

    /// With the lock just taken: notes how often it is held beyond the first time.
    pub(crate) fn taken(&self, taken: Taken, nested: u32) -> Acquired {
        // Killed before this, the next takes it from the dead again.
        self.place.word(NESTED).store(nested, Relaxed);
        taken.into()
    }

    fn nest(&self) {
        let nested = self.place.word(NESTED);
        let more = nested.load(Relaxed).checked_add(1);
        nested.store(more.expect("a lock is not acquired 2^32 times"), Relaxed);
    }

    /// With the lock held: makes it free, and returns how often it was held beyond the first time.
    pub(crate) fn end(&self) -> u32 {
        let nested = self.place.word(NESTED).load(Relaxed);
        self.place.word(NESTED).store(0, Relaxed);
        self.raw().release();
        nested
    }

    #[inline]
    fn holds(&self, me: u64) -> bool {
        me != 0 && self.place.wide(LOCK).load(Relaxed) == me
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }
}

impl fmt::Debug for RLock {
    /// Says who holds it, as [`Lock`](crate::Lock)'s does, and how often it was acquired: a number for this thread, else
    /// `0` or `nonzero`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = Owner::of(&self.place, LOCK);
        let level = match owner {
            Owner::None => "0".to_owned(),
            Owner::ThisThread => {
                let nested = self.place.word(NESTED).load(Relaxed);
                (u64::from(nested) + 1).to_string()
            }
            Owner::OtherThread | Owner::OtherProcess => "nonzero".to_owned(),
        };
        f.debug_struct("RLock")
            .field("owner", &owner)
            .field("level", &format_args!("{level}"))
            .finish()
    }
}

impl Serialize for RLock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.place.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RLock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { place: Place::deserialize(deserializer)?.check(Kind::RLock, SIZE, 1)? })
    }
}

/// A reentrant lock, held once more until this is dropped; it stays on its thread.
///
/// # If a process dies
///
/// The lock that the guard stands for goes to the next one that acquires it, as [`RLock`] says.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct RLockGuard<'a> {
    lock: &'a RLock,
    acquired: Acquired,
    on_this_thread: PhantomData<*const ()>,
}

impl RLockGuard<'_> {
    /// How the lock was acquired.
    #[must_use]
    pub fn acquired(&self) -> Acquired {
        self.acquired
    }
}

impl Drop for RLockGuard<'_> {
    fn drop(&mut self) {
        // A forked child never had it, and somebody may have given it back by hand: both are refused.
        let _ = self.lock.release();
    }
}

impl fmt::Debug for RLockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RLockGuard").field("acquired", &self.acquired).finish_non_exhaustive()
    }
}
