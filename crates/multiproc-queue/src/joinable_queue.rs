//! The queue that can be waited for.

use std::{fmt, ops::Deref, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    JoinError, Postcard, PutError, Queue, QueueError, TooManyDone, TryPutError,
    codec::Code,
    feeder,
    ring::{Patience, Refused, Waiting},
};

/// The most items that are not marked as done.
pub(crate) const MOST: u32 = (1 << 28) - 16;

/// A [`Queue`] whose items are marked as done by those who took them, so that one can wait for all of them.
///
/// It does all that a queue does, and [`task_done`](Self::task_done) and [`join`](Self::join).
///
/// # If a process dies
///
/// As for [`Queue`]. An item that a killed process had taken and not marked as done stays unfinished; `join` ends with
/// [`JoinError::Abandoned`] when nobody is left who could mark it, as far as that can be known.
///
/// # Python
///
/// `multiprocessing.JoinableQueue`.
///
/// # Examples
///
/// ```
/// let q = multiproc_queue::JoinableQueue::<u32>::new()?;
/// q.put(1)?;
/// q.get()?;
/// q.task_done()?;
/// q.join()?;
/// assert!(q.task_done().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct JoinableQueue<T, C = Postcard>(Queue<T, C>);

impl<T, C: Code<T>> JoinableQueue<T, C> {
    /// Makes a queue without bound.
    ///
    /// # Errors
    ///
    /// [`QueueError`]. Python raises `OSError`.
    pub fn new() -> Result<Self, QueueError> {
        Queue::new().map(Self)
    }

    /// Makes a queue that holds at most `max` items; 0 is no bound.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    #[doc(alias = "maxsize")]
    pub fn bounded(max: usize) -> Result<Self, QueueError> {
        Queue::bounded(max).map(Self)
    }

    /// Puts an item, as [`Queue::put`] does.
    ///
    /// # Errors
    ///
    /// [`PutError`]; [`PutError::Unfinished`] where too many items were never marked as done.
    pub fn put(&self, value: T) -> Result<(), PutError<T>> {
        if self.is_overdue() { Err(PutError::Unfinished(value)) } else { self.0.put(value) }
    }

    /// Puts an item if there is room, as [`Queue::try_put`] does.
    ///
    /// # Errors
    ///
    /// [`TryPutError`].
    #[doc(alias = "put_nowait")]
    pub fn try_put(&self, value: T) -> Result<(), TryPutError<T>> {
        if self.is_overdue() {
            return Err(TryPutError::Failed(PutError::Unfinished(value)));
        }
        self.0.try_put(value)
    }

    /// Puts an item, waiting for room for at most `timeout`, as [`Queue::put_timeout`] does.
    ///
    /// # Errors
    ///
    /// [`TryPutError`].
    pub fn put_timeout(&self, value: T, timeout: Duration) -> Result<(), TryPutError<T>> {
        if self.is_overdue() {
            return Err(TryPutError::Failed(PutError::Unfinished(value)));
        }
        self.0.put_timeout(value, timeout)
    }
}

impl<T, C> JoinableQueue<T, C> {
    /// Marks an item that was taken as done; once for each.
    ///
    /// # Errors
    ///
    /// [`TooManyDone`] if every item that was put is done. Python raises `ValueError`.
    pub fn task_done(&self) -> Result<(), TooManyDone> {
        if self.port().core.ring.finish() { Ok(()) } else { Err(TooManyDone) }
    }

    /// Waits until every item that was put has been marked as done.
    ///
    /// Items that wait in this process count; those that wait in others, because there is no room for them, count from
    /// when there is.
    ///
    /// # Errors
    ///
    /// [`JoinError::Abandoned`] if items are unfinished and no other process, message, handle or thread is left that could
    /// mark them. Python waits for ever.
    pub fn join(&self) -> Result<(), JoinError> {
        let core = &self.port().core;
        let mut waiting = Waiting::new(Patience::Endless);
        loop {
            match core.ring.wait_until_finished(&mut waiting) {
                Ok(()) if feeder::is_busy(core) => feeder::join(core),
                Ok(()) => return Ok(()),
                Err(Refused::Slice) if self.port().may_be_taken() => {}
                Err(_) => {
                    let unfinished = core.ring.unfinished() as usize;
                    if unfinished > 0 {
                        return Err(JoinError::Abandoned { unfinished });
                    }
                }
            }
        }
    }

    fn is_overdue(&self) -> bool {
        MOST <= self.port().core.ring.unfinished()
    }
}

impl<T, C> Deref for JoinableQueue<T, C> {
    type Target = Queue<T, C>;

    fn deref(&self) -> &Queue<T, C> {
        &self.0
    }
}

impl<T, C> Clone for JoinableQueue<T, C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T, C> Serialize for JoinableQueue<T, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T, C> Deserialize<'de> for JoinableQueue<T, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Queue::deserialize(deserializer).map(Self)
    }
}

impl<T, C> fmt::Debug for JoinableQueue<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinableQueue")
            .field("qsize", &self.qsize())
            .field("unfinished", &self.port().core.ring.unfinished())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // parity: joinable_queue.must-task-done
    #[test]
    fn what_is_never_done_is_an_error_and_no_wrong_count() {
        let q = JoinableQueue::<u8>::new().unwrap();
        q.port().core.ring.forget_done(MOST);
        assert!(matches!(q.put(7), Err(PutError::Unfinished(7))));
        assert!(matches!(q.try_put(7), Err(TryPutError::Failed(PutError::Unfinished(7)))));
        q.task_done().unwrap();
        q.put(7).unwrap();
    }
}
