//! The semaphore.

use std::{fmt, time::Duration};

use multiproc_sys::primitive::Ordering;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    ReleaseError, SyncError,
    permit::Permit,
    place::{Kind, Place},
    protocol::{lock::Stop, patience::Patience, semaphore::RawSemaphore},
};

const PERMITS: usize = 0;
const BELL: usize = 4;
const MOST: usize = 8;
const SIZE: usize = 12;

/// The most permits that a semaphore can have.
const LIMIT: u32 = i32::MAX.unsigned_abs();

/// A number of permits that processes take and give; a semaphore of no permits is waited for.
///
/// Who gives a permit need not have taken one, so that a semaphore also counts what happens. It takes 16 bytes of shared
/// memory and no descriptor. Clones are handles to the same semaphore; so is what arrives when one is sent as an argument,
/// in a message or as a field, and what a forked child has.
///
/// # If a process dies
///
/// A permit that a dead process has taken is not given back: nobody can know whether it was to be. A permit given by a
/// process that is killed at that moment is given or is not, and if it is, a waiter is woken. A waiter that is killed
/// takes no wake-up along. When nobody is left who could give a permit, a wait ends with [`SyncError::Abandoned`].
///
/// # Python
///
/// `multiprocessing.Semaphore`.
///
/// # Examples
///
/// ```
/// use multiproc_sync::Semaphore;
///
/// let semaphore = Semaphore::new(2)?;
/// semaphore.acquire()?;
/// semaphore.acquire()?;
/// assert!(!semaphore.try_acquire()?);
/// semaphore.release()?;
/// assert_eq!(semaphore.get_value(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Semaphore {
    place: Place,
}

impl Semaphore {
    /// Makes a semaphore of `permits` permits; Python's default is 1.
    ///
    /// # Errors
    ///
    /// [`SyncError::Number`] if these are more than 2³¹ - 1; [`SyncError::Memory`], [`SyncError::Table`].
    pub fn new(permits: u32) -> Result<Self, SyncError> {
        Self::with_most(Kind::Semaphore, permits, LIMIT)
    }

    pub(crate) fn with_most(kind: Kind, permits: u32, most: u32) -> Result<Self, SyncError> {
        if LIMIT < permits {
            let wanted = "at most 2147483647";
            return Err(SyncError::Number { what: "a number of permits", number: permits, wanted });
        }
        let place = Place::new(kind, SIZE, 1)?;
        place.word(MOST).store(most, Ordering::Relaxed);
        place.word(PERMITS).store(permits, Ordering::Release);
        Ok(Self { place })
    }

    /// Waits for a permit, and takes it.
    ///
    /// A signal whose handler returns does not end the wait.
    ///
    /// # Errors
    ///
    /// [`SyncError::Abandoned`] if nobody is left who could give one; [`SyncError::Table`].
    #[inline]
    pub fn acquire(&self) -> Result<(), SyncError> {
        if self.raw().try_take() {
            return Ok(());
        }
        self.wait(&mut Patience::endless()).map(|_| ())
    }

    /// Takes a permit if there is one; false if there is none.
    ///
    /// # Errors
    ///
    /// None at present; the signature is that of the other locks.
    #[inline]
    pub fn try_acquire(&self) -> Result<bool, SyncError> {
        Ok(self.raw().try_take())
    }

    /// Waits for a permit, for at most `timeout`, and takes it; false if there was none in that time.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<bool, SyncError> {
        if self.raw().try_take() {
            return Ok(true);
        }
        self.wait(&mut Patience::for_at_most(timeout))
    }

    /// Gives a permit.
    ///
    /// # Errors
    ///
    /// [`ReleaseError::Overflow`] if there are 2³¹ - 1 already.
    #[inline]
    pub fn release(&self) -> Result<(), ReleaseError> {
        if self.give() { Ok(()) } else { Err(ReleaseError::Overflow) }
    }

    /// The number of permits at this moment.
    #[must_use]
    pub fn get_value(&self) -> u32 {
        self.raw().value()
    }

    /// Returns true if there is no permit at this moment.
    #[must_use]
    pub fn locked(&self) -> bool {
        self.get_value() == 0
    }

    /// Takes a permit for as long as the returned guard lives.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Python
    ///
    /// `with semaphore:`.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = multiproc_sync::Semaphore::new(1)?;
    /// let permit = semaphore.guard()?;
    /// assert!(semaphore.locked());
    /// drop(permit);
    /// assert_eq!(semaphore.get_value(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn guard(&self) -> Result<Permit<'_>, SyncError> {
        self.acquire()?;
        Ok(Permit::new(self))
    }

    #[inline]
    fn raw(&self) -> RawSemaphore<'_, Place> {
        let place = &self.place;
        RawSemaphore { world: place, permits: place.word(PERMITS), bell: place.word(BELL) }
    }

    #[cold]
    fn wait(&self, patience: &mut Patience) -> Result<bool, SyncError> {
        // An entry, so that the kernel's watch over this process is made sure of before it sleeps.
        self.place.me()?;
        match self.raw().take(patience) {
            Ok(()) => Ok(true),
            Err(Stop::Over) => Ok(false),
            Err(Stop::Abandoned) => Err(SyncError::Abandoned),
        }
    }

    /// Gives a permit; false if there are as many as there can be.
    #[inline]
    pub(crate) fn give(&self) -> bool {
        self.raw().give(self.most())
    }

    pub(crate) fn arrived<'de, D: Deserializer<'de>>(
        from: D,
        kind: Kind,
    ) -> Result<Self, D::Error> {
        Ok(Self { place: Place::deserialize(from)?.check(kind, SIZE, 1)? })
    }

    pub(crate) fn most(&self) -> u32 {
        self.place.word(MOST).load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("value", &self.get_value()).finish()
    }
}

impl Serialize for Semaphore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.place.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Semaphore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::arrived(deserializer, Kind::Semaphore)
    }
}
