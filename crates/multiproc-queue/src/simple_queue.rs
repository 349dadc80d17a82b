//! The queue with four methods.

use std::{
    fmt,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Closed, GetError, Postcard, PutError, QueueError,
    calls::{self, never_empty, never_full},
    codec::Code,
    port::{Overflow, Port},
    ring::Patience,
};

/// A queue that only puts, takes, says whether it is empty, and closes.
///
/// What is put is in shared memory when `put` returns: no thread ever keeps it, and where there is no room, `put` waits.
///
/// # If a process dies
///
/// As for [`Queue`](crate::Queue), without what concerns its thread.
///
/// # Python
///
/// `multiprocessing.SimpleQueue`.
///
/// # Examples
///
/// ```
/// let q = multiproc_queue::SimpleQueue::<Option<u8>>::new()?;
/// assert!(q.is_empty()?);
/// q.put(Some(1))?;
/// q.put(None)?;
/// assert_eq!((q.get()?, q.get()?), (Some(1), None));
/// q.close();
/// assert!(q.is_empty().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SimpleQueue<T, C = Postcard> {
    port: Port,
    types: PhantomData<fn(T) -> (T, C)>,
}

impl<T, C: Code<T>> SimpleQueue<T, C> {
    /// Makes a queue.
    ///
    /// # Errors
    ///
    /// [`QueueError`]. Python raises `OSError`.
    pub fn new() -> Result<Self, QueueError> {
        Port::new(0).map(Self::of)
    }

    /// Puts an item, waiting while there is no room.
    ///
    /// # Errors
    ///
    /// [`PutError`], with the item inside.
    #[inline]
    pub fn put(&self, value: T) -> Result<(), PutError<T>> {
        calls::put::<T, C, _>(&self.port, value, Overflow::Wait(Patience::Endless), never_full)
            .map(drop)
    }

    /// Takes an item, waiting for one.
    ///
    /// # Errors
    ///
    /// [`GetError`].
    #[inline]
    pub fn get(&self) -> Result<T, GetError> {
        calls::get::<T, C, _>(&self.port, None, Patience::Endless, never_empty)
    }
}

impl<T, C> SimpleQueue<T, C> {
    fn of(port: Port) -> Self {
        Self { port, types: PhantomData }
    }

    /// Returns true if there is no item.
    ///
    /// # Errors
    ///
    /// [`Closed`] after [`close`](Self::close). Python raises `OSError`.
    #[doc(alias = "empty")]
    pub fn is_empty(&self) -> Result<bool, Closed> {
        if self.port.is_closed() { Err(Closed) } else { Ok(self.port.core.ring.len() == 0) }
    }

    /// Ends the use of this handle: to put and to take are errors from now on.
    pub fn close(&self) {
        self.port.close();
    }
}

impl<T, C> Clone for SimpleQueue<T, C> {
    fn clone(&self) -> Self {
        Self::of(self.port.clone())
    }
}

impl<T, C> Serialize for SimpleQueue<T, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.port.serialize(serializer)
    }
}

impl<'de, T, C> Deserialize<'de> for SimpleQueue<T, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Port::deserialize(deserializer).map(Self::of)
    }
}

/// As for [`Queue`](crate::Queue).
impl<T, C> AsFd for SimpleQueue<T, C> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.port.core.ring.watch();
        self.port.core.ring.as_fd()
    }
}

impl<T, C> fmt::Debug for SimpleQueue<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimpleQueue").finish_non_exhaustive()
    }
}
