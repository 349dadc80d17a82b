//! What can go wrong.

use multiproc_shm::{HeapError, TableError};

/// An error returned when an object cannot be made, or a wait for it cannot succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// Nobody is left who could end the wait: no other process has a handle to the object, nor has another thread of this
    /// one. Python waits for ever.
    #[error("nobody is left who could end this wait: no other process has a handle to the object")]
    Abandoned,

    /// The number of permits or parties cannot be. Python raises `ValueError` or `OSError`.
    #[error("{what} of {number}: it has to be {wanted}")]
    Number {
        /// What the number is of.
        what: &'static str,
        /// The number.
        number: u32,
        /// What it could be.
        wanted: &'static str,
    },

    /// No block can have that many bytes.
    #[error("an object of {size} bytes is more than there can be")]
    TooLarge {
        /// The bytes asked for.
        size: usize,
    },

    /// There is no memory for the object. Python raises `OSError`.
    #[error("cannot make a shared object")]
    Memory(#[from] HeapError),

    /// This process cannot use locks. Python raises `OSError`.
    #[error("this process cannot use a lock that is shared")]
    Table(#[from] TableError),
}

impl SyncError {
    /// Returns true if nobody is left who could end the wait.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        matches!(self, Self::Abandoned)
    }
}

/// An error returned when something is given back that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// The lock is free, or the bounded semaphore has all its permits. Python raises `ValueError`.
    #[error("released too many times: it is not held")]
    NotHeld,
    /// A reentrant lock is released by a thread that does not hold it. Python raises `AssertionError`.
    #[error("released by a thread that does not hold it")]
    NotOwner,
    /// A semaphore cannot have more permits. Python raises `OverflowError` or `OSError`.
    #[error("released too many times: a semaphore has at most {} permits", i32::MAX)]
    Overflow,
}

/// An error returned by the methods of a [`Condition`](crate::Condition) that need its lock.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionError {
    /// The calling thread does not hold the lock. Python raises `AssertionError` or `RuntimeError`.
    #[error("the calling thread does not hold the lock of the condition: acquire it first")]
    NotOwned,
    /// As many wait as there is room for.
    #[error("512 wait for this condition already, which is as many as can")]
    TooMany,
    /// The lock is held again, but the one who held it before was killed, ended or executed another program meanwhile: what
    /// it guards may be half changed.
    #[error("the last holder of the condition's lock died with it: look at what it guards")]
    OwnerDied {
        /// Whether this waiter was notified.
        notified: bool,
    },
    /// Nobody is left who could notify: no other process has a handle to the condition, nor has another thread of this one.
    /// Python waits for ever.
    #[error("nobody is left who could notify: no other process has a handle to the condition")]
    Abandoned,
    /// The lock could not be taken again, and is not held.
    #[error("cannot take the lock of the condition")]
    Sync(#[from] SyncError),
}

/// An error returned by [`Barrier::wait`](crate::Barrier::wait).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BarrierError {
    /// A party has waited for too long, the action has failed, or somebody has aborted or reset the barrier. Python raises
    /// `BrokenBarrierError`.
    #[error("the barrier is broken")]
    Broken,
    /// A party was killed while it waited, or no other process has a handle any more. The barrier is broken. Python waits
    /// for ever.
    #[error("a party of the barrier has died")]
    Abandoned,
    /// The barrier could not be used.
    #[error("cannot wait at a barrier")]
    Sync(#[from] SyncError),
}

impl BarrierError {
    /// Returns true if the barrier is broken, whatever the reason.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broken | Self::Abandoned)
    }
}

/// An error returned when a [`Mutex`](crate::Mutex) does not hand out its value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MutexError {
    /// A process was killed, or a thread panicked, while it had the value, which may be half changed. Nobody has it now.
    #[error("the last owner of the value died with it: look at it with `lock_or_repair`")]
    OwnerDied,
    /// The calling thread has the value already.
    #[error("the calling thread has the value already")]
    Nested,
    /// The lock could not be taken.
    #[error("cannot take the lock of a value")]
    Sync(#[source] Box<SyncError>),
}

impl From<SyncError> for MutexError {
    // A box, so that what `lock` returns is small.
    fn from(error: SyncError) -> Self {
        Self::Sync(Box::new(error))
    }
}
