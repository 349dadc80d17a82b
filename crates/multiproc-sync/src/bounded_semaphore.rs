//! The semaphore that notices when it is given more than was taken.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Permit, ReleaseError, Semaphore, SyncError, place::Kind};

/// A semaphore that never has more permits than it began with.
///
/// # If a process dies
///
/// As with a [`Semaphore`]: permits of the dead are not given back.
///
/// # Python
///
/// `multiprocessing.BoundedSemaphore`.
///
/// # Examples
///
/// ```
/// use multiproc_sync::BoundedSemaphore;
///
/// let semaphore = BoundedSemaphore::new(1)?;
/// semaphore.acquire()?;
/// semaphore.release()?;
/// assert!(semaphore.release().is_err(), "nobody has taken it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct BoundedSemaphore(Semaphore);

impl BoundedSemaphore {
    /// Makes a semaphore of `permits` permits, which it never exceeds; Python's default is 1.
    ///
    /// # Errors
    ///
    /// As [`Semaphore::new`].
    pub fn new(permits: u32) -> Result<Self, SyncError> {
        Semaphore::with_most(Kind::BoundedSemaphore, permits, permits).map(Self)
    }

    /// Waits for a permit, and takes it.
    ///
    /// # Errors
    ///
    /// As [`Semaphore::acquire`].
    #[inline]
    pub fn acquire(&self) -> Result<(), SyncError> {
        self.0.acquire()
    }

    /// Takes a permit if there is one; false if there is none.
    ///
    /// # Errors
    ///
    /// As [`Semaphore::try_acquire`].
    #[inline]
    pub fn try_acquire(&self) -> Result<bool, SyncError> {
        self.0.try_acquire()
    }

    /// Waits for a permit, for at most `timeout`, and takes it; false if there was none in that time.
    ///
    /// # Errors
    ///
    /// As [`Semaphore::acquire`].
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<bool, SyncError> {
        self.0.acquire_timeout(timeout)
    }

    /// Gives a permit back.
    ///
    /// # Errors
    ///
    /// [`ReleaseError::NotHeld`] if all are there; nothing changes then.
    #[inline]
    pub fn release(&self) -> Result<(), ReleaseError> {
        if self.0.give() { Ok(()) } else { Err(ReleaseError::NotHeld) }
    }

    /// The number of permits at this moment.
    #[must_use]
    pub fn get_value(&self) -> u32 {
        self.0.get_value()
    }

    /// The number of permits that it began with.
    #[must_use]
    pub fn maximum(&self) -> u32 {
        self.0.most()
    }

    /// Returns true if there is no permit at this moment.
    #[must_use]
    pub fn locked(&self) -> bool {
        self.0.locked()
    }

    /// Takes a permit for as long as the returned guard lives.
    ///
    /// # Errors
    ///
    /// As [`Semaphore::acquire`].
    pub fn guard(&self) -> Result<Permit<'_>, SyncError> {
        self.0.guard()
    }
}

impl fmt::Debug for BoundedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedSemaphore")
            .field("value", &self.get_value())
            .field("maximum", &self.maximum())
            .finish()
    }
}

impl<'de> Deserialize<'de> for BoundedSemaphore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Semaphore::arrived(deserializer, Kind::BoundedSemaphore).map(Self)
    }
}
