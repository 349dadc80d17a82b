//! Locks, semaphores, conditions, events and barriers between processes, which survive the death of any of them.
//!
//! ```
//! use multiproc_sync::{Lock, Mutex};
//!
//! let lock = Lock::new()?; // Send it as an argument, in a message, in a field.
//! lock.acquire()?;
//! lock.release()?;
//!
//! let total = Mutex::new(0u64)?; // What it guards, too.
//! *total.lock()? += 7;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | type | what it is | when its user is killed |
//! |---|---|---|
//! | [`Lock`] | one at a time; any process may give it back | the next gets it, and is told |
//! | [`RLock`] | one thread at a time, as often as it likes | the same |
//! | [`Mutex`] | a value that one has at a time | the next is told, and repairs it |
//! | [`Semaphore`], [`BoundedSemaphore`] | a number of permits | its permits are gone; no wake-up is |
//! | [`Condition`] | waiting under a lock for a change | it is passed over; another is woken in its place |
//! | [`Event`] | a flag to wait for | nobody notices |
//! | [`Barrier`] | a point that all pass together | the others are told |
//!
//! # Choices
//!
//! - They live in shared memory without a name: nothing to leak, no descriptor each, and freed with the last handle.
//! - Uncontended operations make no system call.
//! - Deadlines are moments: a signal that interrupts a wait does not lengthen it.
//! - Waits for ever end with `Abandoned` when nobody is left who could end them. That is told by the handles in other
//!   processes, and by the other threads of this one: while there are any, the wait goes on.
//! - Not fair: who asks while a lock is free gets it before who is being woken for it.

mod error;
mod acquired;
mod place;
mod thread;
mod owner;
mod protocol;
mod lock;
mod rlock;
mod semaphore;
mod bounded_semaphore;
mod permit;
mod condition;
mod event;
mod barrier;
mod mutex;

pub use acquired::Acquired;
pub use barrier::{Barrier, BarrierBuilder};
pub use bounded_semaphore::BoundedSemaphore;
pub use condition::{Condition, ConditionGuard, ConditionLock};
pub use error::{BarrierError, ConditionError, MutexError, ReleaseError, SyncError};
pub use event::Event;
pub use lock::{Lock, LockGuard};
pub use mutex::{Mutex, MutexGuard};
pub use permit::Permit;
pub use rlock::{RLock, RLockGuard};
pub use semaphore::Semaphore;
