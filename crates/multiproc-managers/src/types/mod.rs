//! The objects that every manager can share, as they live in its server.
//!
//! A server that hands out one of them to all its clients makes it here and registers it; all others
//! come into being when a manager is asked for one.

mod list;
mod dict;
mod set;
mod namespace;
mod value;
mod array;
mod queue;
mod lock;
mod rlock;
mod semaphore;
mod condition;
mod event;
mod barrier;
mod iterator;
mod pool;
mod async_result;
mod steps;
mod holding;
mod waiters;

use std::{
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time;

pub use self::{
    array::Array, async_result::AsyncResult, barrier::Barrier, condition::Condition, dict::Dict,
    event::Event, iterator::Iter, list::List, lock::Lock, namespace::Namespace, pool::Pool,
    queue::Queue, rlock::RLock, semaphore::Semaphore, set::Set, value::Value,
};
pub(crate) use self::{array::unpacked, dict::Updater, pool::Worker};

/// Locks what no panic leaves half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Awaits a future for so long, or for ever.
async fn within<T>(limit: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => time::timeout(limit, future).await.ok(),
        None => Some(future.await),
    }
}
