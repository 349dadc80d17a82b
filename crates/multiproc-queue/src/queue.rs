//! The queue.

use std::{
    fmt,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use multiproc_sys::primitive::AtomicU64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Closed, GetError, Iter, IterUntil, NotClosed, Postcard, PutError, QueueError, Receiver, Sender,
    TryGetError, TryPutError, batch,
    calls::{self, as_it_is, never_empty, never_full},
    codec::Code,
    feeder, iter,
    port::{Overflow, Port},
    ring::Patience,
};

/// A queue between processes: any number of them put items and take them, each item by one of them.
///
/// It lies in shared memory. What one process puts, others receive in the order of the puts; items of different processes
/// may interleave. A handle can be an argument, part of a message or of an item, a field; clones and forked children
/// share the queue.
///
/// A queue without bound takes items without waiting. Up to a gibibyte they lie in shared memory, so a process that has
/// put them may end before anybody has read them. Beyond that a thread of this process keeps them until there is room,
/// and the exit of the process waits for it.
///
/// # If a process dies
///
/// A process that is killed at any moment leaves a queue that others go on using at once. What it had put stays; an item
/// that it was about to put is not there, one that it had just taken is lost with it, and so is what its thread still
/// kept. `get` ends with [`GetError::Abandoned`] when the queue is empty and no other process, message, handle or thread
/// is left that could put; [`split`](Self::split) halves tell it exactly.
///
/// # Python
///
/// `multiprocessing.Queue`. `put(x, block, timeout)` and `get` are three calls each. Items are turned into bytes by the
/// caller of `put`, so an item that cannot be is that caller's error, and changing a value later changes nothing.
///
/// # Examples
///
/// ```
/// use multiproc_queue::Queue;
///
/// let q = Queue::<(i32, Option<String>, f64)>::new()?;
/// q.put((42, None, 2.5))?;
/// assert_eq!(q.get()?, (42, None, 2.5));
/// assert!(q.try_get().unwrap_err().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Queue<T, C = Postcard> {
    port: Port,
    // As of functions: holds no item, so is Send and Sync whatever they are.
    types: PhantomData<fn(T) -> (T, C)>,
}

impl<T, C: Code<T>> Queue<T, C> {
    /// Makes a queue without bound.
    ///
    /// # Errors
    ///
    /// [`QueueError`] where there is no memory, address range or descriptor. Python raises `OSError`.
    pub fn new() -> Result<Self, QueueError> {
        Self::bounded(0)
    }

    /// Makes a queue that holds at most `max` items; 0 is no bound.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    ///
    /// # Examples
    ///
    /// ```
    /// let q = multiproc_queue::Queue::<String>::bounded(1)?;
    /// q.put("first".into())?;
    /// assert_eq!(q.try_put("second".into()).unwrap_err().into_inner(), "second");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "maxsize")]
    pub fn bounded(max: usize) -> Result<Self, QueueError> {
        Port::new(max).map(Self::of)
    }

    /// Puts an item, waiting while a bounded queue is full.
    ///
    /// # Errors
    ///
    /// [`PutError`], with the item inside.
    #[inline]
    pub fn put(&self, value: T) -> Result<(), PutError<T>> {
        calls::put::<T, C, _>(&self.port, value, Overflow::Usual(Patience::Endless), never_full)
            .map(drop)
    }

    /// Puts an item if there is room.
    ///
    /// # Python
    ///
    /// `put_nowait(x)` and `put(x, block=False)`.
    ///
    /// # Errors
    ///
    /// [`TryPutError::Full`] where [`put`](Self::put) would wait, else as `put`; with the item inside.
    #[doc(alias = "put_nowait")]
    #[inline]
    pub fn try_put(&self, value: T) -> Result<(), TryPutError<T>> {
        calls::put::<T, C, _>(&self.port, value, Overflow::Usual(Patience::None), as_it_is)
            .map(drop)
    }

    /// Puts an item, waiting for room for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TryPutError::Full`] when time is up, else as [`put`](Self::put); with the item inside.
    pub fn put_timeout(&self, value: T, timeout: Duration) -> Result<(), TryPutError<T>> {
        calls::put::<T, C, _>(&self.port, value, Overflow::Usual(Patience::of(timeout)), as_it_is)
            .map(drop)
    }

    /// Puts a copy of an item, as [`put`](Self::put) does.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    ///
    /// # Examples
    ///
    /// ```
    /// let (q, item) = (multiproc_queue::Queue::<String>::new()?, "again".to_owned());
    /// q.put_ref(&item)?;
    /// q.put_ref(&item)?;
    /// assert_eq!(q.get_many(2)?, ["again", "again"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn put_ref(&self, value: &T) -> Result<(), PutError<()>> {
        calls::put_ref::<T, C>(&self.port, value, Overflow::Usual(Patience::Endless))
            .map(drop)
            .map_err(|reason| never_full(calls::put_error((), *reason)))
    }

    /// Puts every item of an iterator, in its order, and returns their number; faster than one by one.
    ///
    /// Items are gathered, up to 64 at a time, before they are put in one go. For an iterator that takes its time, whose
    /// items others are to see at once, call [`put`](Self::put) for each.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put), with the item at which it stopped. Those before it are put; of those behind it, up to 63 may
    /// have been taken from the iterator, and are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// let q = multiproc_queue::Queue::<u32>::new()?;
    /// assert_eq!(q.put_many(0..5)?, 5);
    /// assert_eq!(q.get_many(3)?, [0, 1, 2]);
    /// assert_eq!(q.drain().collect::<Result<Vec<_>, _>>()?, [3, 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn put_many(&self, items: impl IntoIterator<Item = T>) -> Result<usize, PutError<T>> {
        batch::put_many::<T, C>(&self.port, items)
    }

    /// Takes an item, waiting for one.
    ///
    /// # Errors
    ///
    /// [`GetError`]. An item that cannot be decoded is lost, and the next one is not.
    #[inline]
    pub fn get(&self) -> Result<T, GetError> {
        calls::get::<T, C, _>(&self.port, None, Patience::Endless, never_empty)
    }

    /// Takes an item if there is one.
    ///
    /// # Python
    ///
    /// `get_nowait()` and `get(block=False)`.
    ///
    /// # Errors
    ///
    /// [`TryGetError::Empty`] where [`get`](Self::get) would wait, else as `get`.
    #[doc(alias = "get_nowait")]
    #[inline]
    pub fn try_get(&self) -> Result<T, TryGetError> {
        calls::get::<T, C, _>(&self.port, None, Patience::None, as_it_is)
    }

    /// Takes an item, waiting for one for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TryGetError::Empty`] when time is up, else as [`get`](Self::get).
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, TryGetError> {
        calls::get::<T, C, _>(&self.port, None, Patience::of(timeout), as_it_is)
    }

    /// Waits for an item, and takes it with those behind it that are there already, `max` at most; faster than one by one.
    ///
    /// # If a process dies
    ///
    /// A process that is killed while it does this may have had `max` items in its hands.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), if there is no item to return. An item among others that cannot be decoded, or whose
    /// descriptors cannot be received, is lost, which the log tells.
    pub fn get_many(&self, max: usize) -> Result<Vec<T>, GetError> {
        batch::get_many::<T, C>(&self.port, max)
    }

    /// Takes items as [`get_many`](Self::get_many) does, and claims them before they are taken.
    ///
    /// As [`get_claimed`](Self::get_claimed): `claim` is set to the number of the first record plus one in its lower half,
    /// and the number of records less one in its upper half. The records of a batch have numbers that follow one another.
    /// Fewer than are there may be taken, for one store claims them all.
    ///
    /// # Errors
    ///
    /// As [`get_many`](Self::get_many).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// let (q, claim) = (multiproc_queue::Queue::<u32>::new()?, AtomicU64::new(0));
    /// let first = q.put_numbered(7)?;
    /// q.put_many([8, 9, 10])?;
    /// assert_eq!(q.get_many_claimed(3, &claim)?, [7, 8, 9]);
    /// assert_eq!(claim.load(Ordering::SeqCst), 2 << 32 | u64::from(first) + 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get_many_claimed(&self, max: usize, claim: &AtomicU64) -> Result<Vec<T>, GetError> {
        batch::get_many_claimed::<T, C>(&self.port, max, claim)
    }

    /// Iterates over the items that are there, without waiting.
    pub fn drain(&self) -> impl Iterator<Item = Result<T, GetError>> {
        iter::drain::<T, C>(&self.port)
    }

    /// Iterates over all items, waiting for each, until the queue is shut down or abandoned.
    ///
    /// # Examples
    ///
    /// ```
    /// let q = multiproc_queue::Queue::<u32>::new()?;
    /// q.put_many([1, 2, 3])?;
    /// q.shutdown(false);
    /// assert_eq!(q.iter().sum::<Result<u32, _>>()?, 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn iter(&self) -> Iter<'_, T, C> {
        Iter::new(&self.port)
    }

    /// Iterates over all items up to one that equals `stop`, which is taken and not returned.
    ///
    /// # Python
    ///
    /// `iter(queue.get, 'STOP')`.
    ///
    /// # Examples
    ///
    /// ```
    /// let q = multiproc_queue::Queue::<String>::new()?;
    /// q.put_many(["one", "two", "STOP", "three"].map(String::from))?;
    /// let items = q.iter_until("STOP".into()).collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(items, ["one", "two"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn iter_until(&self, stop: T) -> IterUntil<'_, T, C>
    where
        T: PartialEq,
    {
        IterUntil::new(self.iter(), stop)
    }

    /// Puts an item as [`put`](Self::put) does, and returns the number of its record.
    ///
    /// Records are numbered from 0, modulo 2^28, in the order in which they are taken. The item is in shared memory when
    /// this returns: it waits for room in a queue without bound, too.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub fn put_numbered(&self, value: T) -> Result<u32, PutError<T>> {
        let overflow = Overflow::Wait(Patience::Endless);
        let number = calls::put::<T, C, _>(&self.port, value, overflow, never_full)?;
        Ok(number.unwrap_or_default())
    }

    /// Takes an item as [`get`](Self::get) does, and claims it before it is taken.
    ///
    /// `claim` is set to the number of the item's record plus one while the item is still in the queue. So there is no
    /// moment at which it is in nobody's hands: who looks at the claim of a process that was killed knows which item it
    /// had, or was about to take.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// let (q, claim) = (multiproc_queue::Queue::<u32>::new()?, AtomicU64::new(0));
    /// let number = q.put_numbered(7)?;
    /// assert_eq!(q.get_claimed(&claim)?, 7);
    /// assert_eq!(claim.load(Ordering::SeqCst), u64::from(number) + 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get_claimed(&self, claim: &AtomicU64) -> Result<T, GetError> {
        calls::get::<T, C, _>(&self.port, Some(claim), Patience::Endless, never_empty)
    }
}

impl<T, C> Queue<T, C> {
    pub(crate) fn of(port: Port) -> Self {
        Self { port, types: PhantomData }
    }

    pub(crate) fn port(&self) -> &Port {
        &self.port
    }

    /// The number of items: those in shared memory, exact whoever was killed, and those that wait in this process.
    ///
    /// Others may put and take at the same moment. Python's raises `NotImplementedError` on macOS.
    #[must_use]
    pub fn qsize(&self) -> usize {
        self.port.len()
    }

    /// Returns true if there is no item in shared memory.
    ///
    /// # Errors
    ///
    /// [`Closed`] after [`close`](Self::close). Python raises `OSError`.
    pub fn is_empty(&self) -> Result<bool, Closed> {
        if self.port.is_closed() { Err(Closed) } else { Ok(self.port.core.ring.len() == 0) }
    }

    /// Returns true if a bounded queue holds as many items as it may; always false without a bound.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let ring = &self.port.core.ring;
        ring.bound().is_some_and(|bound| bound <= ring.len())
    }

    /// Ends the use of this handle: to put and to take are errors from now on. Items that wait in this process are still
    /// put.
    ///
    /// Other handles, also clones in this process, are not concerned. Dropping a handle does as much, and lets others
    /// know that it is gone.
    pub fn close(&self) {
        self.port.close();
    }

    /// Waits until every item that was put by this process is in shared memory.
    ///
    /// # Errors
    ///
    /// [`NotClosed`] before [`close`](Self::close). Python raises `AssertionError`.
    pub fn join_thread(&self) -> Result<(), NotClosed> {
        if !self.port.is_closed() {
            return Err(NotClosed);
        }
        feeder::join(&self.port.core);
        Ok(())
    }

    /// Has the exit of this process not wait for items that are not in shared memory by then: they may be lost.
    #[doc(alias = "allow_exit_without_flush")]
    pub fn cancel_join_thread(&self) {
        feeder::cancel(&self.port.core);
    }

    /// Ends the queue for all processes: nothing more can be put, and who takes the last item is followed by
    /// [`GetError::ShutDown`]. With `immediate` the items that are there are thrown away, and all items count as done, also
    /// those that somebody has taken and works on: [`join`](crate::JoinableQueue::join) does not wait for them.
    ///
    /// All that wait are woken. It does not wait itself, so items that a thread keeps, because there was no room for them,
    /// are lost, and the log of their process tells how many. Where they are to arrive, first [`close`](Self::close) the
    /// handles of those who put and [`join_thread`](Self::join_thread).
    ///
    /// # Python
    ///
    /// `queue.Queue.shutdown(immediate)` of Python 3.13, which its multiprocessing queues do not have. There `join` goes on
    /// waiting for items that somebody works on.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_queue::{GetError, PutError, Queue};
    ///
    /// let q = Queue::<u32>::new()?;
    /// q.put(1)?;
    /// q.shutdown(false);
    /// assert!(matches!(q.put(2), Err(PutError::ShutDown(2))));
    /// assert_eq!(q.get()?, 1);
    /// assert!(matches!(q.get(), Err(GetError::ShutDown)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown(&self, immediate: bool) {
        self.port.shut_down(immediate);
    }

    /// Splits the queue into an end that can only put and one that can only take, each of which learns at once that
    /// nobody has the other.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_queue::{GetError, Queue};
    ///
    /// let (tx, rx) = Queue::<u32>::new()?.split();
    /// tx.put(1)?;
    /// drop(tx);
    /// assert_eq!(rx.get()?, 1);
    /// assert!(matches!(rx.get(), Err(GetError::Abandoned)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn split(self) -> (Sender<T, C>, Receiver<T, C>) {
        (Sender::of(self.port.sender()), Receiver::of(self.port.receiver()))
    }
}

impl<T, C> Clone for Queue<T, C> {
    fn clone(&self) -> Self {
        Self::of(self.port.clone())
    }
}

impl<T, C> Serialize for Queue<T, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.port.serialize(serializer)
    }
}

impl<'de, T, C> Deserialize<'de> for Queue<T, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Port::deserialize(deserializer).map(Self::of)
    }
}

/// The descriptor is readable while there may be an item, for `wait` and its like; look by
/// [`try_get`](Queue::try_get), which may find that somebody was faster or that the item is about to come, and do not
/// read from it.
///
/// From the first time on that anybody asks for it, each put costs two system calls more.
impl<T, C> AsFd for Queue<T, C> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.port.core.ring.watch();
        self.port.core.ring.as_fd()
    }
}

impl<T, C> fmt::Debug for Queue<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("qsize", &self.qsize()).finish_non_exhaustive()
    }
}
