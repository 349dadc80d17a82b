//! The queue that can be waited for.

use std::{fmt, ops::Deref, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    JoinError, Postcard, Queue, QueueError, TooManyDone,
    codec::Code,
    feeder,
    port::Port,
    ring::{Patience, Refused, Waiting},
};

/// A [`Queue`] whose items are marked as done by those who took them, so that one can wait for all of them.
///
/// It does all that a queue does, and [`task_done`](Self::task_done) and [`join`](Self::join). Where more items than can be
/// counted were never marked as done, about 268 million, every way to put one more is [`PutError::Unfinished`](crate::PutError::Unfinished).
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
        Self::bounded(0)
    }

    /// Makes a queue that holds at most `max` items; 0 is no bound.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    #[doc(alias = "maxsize")]
    pub fn bounded(max: usize) -> Result<Self, QueueError> {
        Port::counted(max).map(|port| Self(Queue::of(port)))
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
        self.join_within(Patience::Endless)
    }

    /// Waits as [`join`](Self::join) does, for at most `timeout`.
    ///
    /// # Python
    ///
    /// Nothing like it.
    ///
    /// # Errors
    ///
    /// [`JoinError::TimedOut`] when time is up, else as `join`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use multiproc_queue::{JoinError, JoinableQueue};
    ///
    /// let q = JoinableQueue::<u32>::new()?;
    /// q.put(1)?;
    /// let late = q.join_timeout(Duration::from_millis(10));
    /// assert!(matches!(late, Err(JoinError::TimedOut { unfinished: 1 })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_timeout(&self, timeout: Duration) -> Result<(), JoinError> {
        self.join_within(Patience::of(timeout))
    }

    fn join_within(&self, patience: Patience) -> Result<(), JoinError> {
        let core = &self.port().core;
        let unfinished = || core.ring.unfinished() as usize + feeder::backlog(core);
        let mut waiting = Waiting::new(patience);
        loop {
            let is_late = match core.ring.wait_until_finished(&mut waiting) {
                Ok(()) if !feeder::is_busy(core) => return Ok(()),
                Ok(()) => !feeder::join_within(core, patience),
                Err(Refused::Slice) if self.port().may_be_taken() => false,
                Err(Refused::TimedOut) => true,
                Err(_) => match core.ring.unfinished() as usize {
                    0 => false,
                    unfinished => return Err(JoinError::Abandoned { unfinished }),
                },
            };
            if is_late {
                match unfinished() {
                    0 => {}
                    unfinished => return Err(JoinError::TimedOut { unfinished }),
                }
            }
        }
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
    use crate::{PutError, Sender, TryPutError, ring::MOST_UNFINISHED};

    // parity: joinable_queue.must-task-done
    #[test]
    fn what_is_never_done_is_an_error_and_no_wrong_count() {
        let q = JoinableQueue::<u8>::new().unwrap();
        let (tx, _rx) = Queue::clone(&q).split();
        let sent: Sender<u8> = multiproc_wire::encode(&tx).unwrap().decode().unwrap();
        q.port().core.ring.forget_done(MOST_UNFINISHED);
        assert!(matches!(q.put(7), Err(PutError::Unfinished(7))));
        assert!(matches!(q.try_put(7), Err(TryPutError::Failed(PutError::Unfinished(7)))));
        assert!(matches!(q.put_ref(&7), Err(PutError::Unfinished(()))));
        assert!(matches!(q.put_many([7, 8]), Err(PutError::Unfinished(7))));
        assert!(matches!(q.put_numbered(7), Err(PutError::Unfinished(7))));
        for tx in [tx, sent] {
            assert!(matches!(tx.put(7), Err(PutError::Unfinished(7))));
        }
        q.task_done().unwrap();
        q.put(7).unwrap();
        let plain = Queue::<u8>::new().unwrap();
        plain.port().core.ring.forget_done(MOST_UNFINISHED);
        plain.put(7).unwrap();
    }
}
