//! The lock of a condition.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Acquired, Lock, LockGuard, RLock, RLockGuard, ReleaseError, SyncError,
    place::Place,
    protocol::{
        lock::{RawLock, Stop, Taken},
        patience::Patience,
    },
};

/// The lock of a condition: one or the other kind.
#[derive(Clone, Serialize, Deserialize)]
pub enum ConditionLock {
    /// A lock that its holder cannot take twice.
    Lock(Lock),
    /// A lock that its holder can take again. A wait gives it back whatever its level, which it has again afterwards.
    RLock(RLock),
}

impl ConditionLock {
    /// The words of the lock, and where it lives.
    pub(super) fn raw(&self) -> (&Place, RawLock<'_, Place>) {
        match self {
            Self::Lock(lock) => (lock.place(), lock.raw()),
            Self::RLock(lock) => (lock.place(), lock.raw()),
        }
    }

    pub(super) fn acquire(&self) -> Result<Acquired, SyncError> {
        match self {
            Self::Lock(lock) => lock.acquire(),
            Self::RLock(lock) => lock.acquire(),
        }
    }

    pub(super) fn try_acquire(&self) -> Result<Option<Acquired>, SyncError> {
        match self {
            Self::Lock(lock) => lock.try_acquire(),
            Self::RLock(lock) => lock.try_acquire(),
        }
    }

    pub(super) fn acquire_timeout(&self, timeout: Duration) -> Result<Option<Acquired>, SyncError> {
        match self {
            Self::Lock(lock) => lock.acquire_timeout(timeout),
            Self::RLock(lock) => lock.acquire_timeout(timeout),
        }
    }

    pub(super) fn release(&self) -> Result<(), ReleaseError> {
        match self {
            Self::Lock(lock) => lock.release(),
            Self::RLock(lock) => lock.release(),
        }
    }

    pub(super) fn guard(&self) -> Result<ConditionGuard<'_>, SyncError> {
        Ok(ConditionGuard(match self {
            Self::Lock(lock) => Guard::Lock(lock.guard()?),
            Self::RLock(lock) => Guard::RLock(lock.guard()?),
        }))
    }

    pub(super) fn is_mine(&self) -> bool {
        match self {
            Self::Lock(lock) => lock.is_mine(),
            Self::RLock(lock) => lock.is_mine(),
        }
    }

    /// Makes the lock free, and returns how often it was held beyond the first time.
    pub(super) fn release_all(&self) -> u32 {
        match self {
            Self::Lock(lock) => {
                lock.raw().release();
                0
            }
            Self::RLock(lock) => lock.end(),
        }
    }

    /// Takes the lock, as often as it was held before. Where the holder may run on another core, it is looked for a while;
    /// where it has to be slept for, `before_sleeping` is called first.
    pub(super) fn take_again(
        &self,
        nested: u32,
        is_afar: impl FnOnce() -> bool,
        before_sleeping: impl FnOnce(),
    ) -> Result<Acquired, SyncError> {
        let (place, raw) = self.raw();
        let me = place.holder()?;
        let taken = match raw.try_take(me) {
            Some(taken) => taken,
            None if is_afar() && raw.take_from_afar(me) => Taken::Free,
            None => {
                before_sleeping();
                raw.take(me, &mut Patience::endless()).map_err(|stop| match stop {
                    Stop::Over | Stop::Abandoned => SyncError::Abandoned,
                })?
            }
        };
        Ok(match self {
            Self::Lock(_) => taken.into(),
            Self::RLock(lock) => lock.taken(taken, nested),
        })
    }
}

impl From<Lock> for ConditionLock {
    fn from(lock: Lock) -> Self {
        Self::Lock(lock)
    }
}

impl From<RLock> for ConditionLock {
    fn from(lock: RLock) -> Self {
        Self::RLock(lock)
    }
}

impl fmt::Debug for ConditionLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock(lock) => lock.fmt(f),
            Self::RLock(lock) => lock.fmt(f),
        }
    }
}

/// A condition's lock, held until this is dropped; it stays on its thread.
///
/// # If a process dies
///
/// The lock goes to the next one that acquires it, as [`Lock`] says.
#[derive(Debug)]
#[must_use = "the lock is given back when the guard is dropped"]
pub struct ConditionGuard<'a>(Guard<'a>);

#[derive(Debug)]
enum Guard<'a> {
    Lock(LockGuard<'a>),
    RLock(RLockGuard<'a>),
}

impl ConditionGuard<'_> {
    /// How the lock was acquired.
    #[must_use]
    pub fn acquired(&self) -> Acquired {
        match &self.0 {
            Guard::Lock(guard) => guard.acquired(),
            Guard::RLock(guard) => guard.acquired(),
        }
    }
}
