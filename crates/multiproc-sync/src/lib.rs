//! Locks between processes.

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
