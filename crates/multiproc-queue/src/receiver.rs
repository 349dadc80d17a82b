//! The end of a queue that can only take.

use std::{
    fmt,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    GetError, Iter, Postcard, TryGetError, batch,
    calls::{self, as_it_is, never_empty},
    codec::Code,
    iter,
    port::Port,
    ring::Patience,
};

/// The end of a queue that can only take. Clones, and copies that were sent, take from the same queue.
///
/// Made by [`Queue::split`](crate::Queue::split), which has an example.
///
/// # If a process dies
///
/// As for [`Sender`](crate::Sender).
///
/// # Python
///
/// Nothing like it.
pub struct Receiver<T, C = Postcard> {
    port: Port,
    types: PhantomData<fn() -> (T, C)>,
}

impl<T, C: Code<T>> Receiver<T, C> {
    /// Takes an item, waiting for one.
    ///
    /// # Errors
    ///
    /// [`GetError`]; [`GetError::Abandoned`] as soon as the queue is empty and no [`Sender`](crate::Sender) is left.
    pub fn get(&self) -> Result<T, GetError> {
        calls::get::<T, C, _>(&self.port, None, Patience::Endless, never_empty)
    }

    /// Takes an item if there is one.
    ///
    /// # Errors
    ///
    /// [`TryGetError`].
    pub fn try_get(&self) -> Result<T, TryGetError> {
        calls::get::<T, C, _>(&self.port, None, Patience::None, as_it_is)
    }

    /// Takes an item, waiting for one for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TryGetError`].
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, TryGetError> {
        calls::get::<T, C, _>(&self.port, None, Patience::of(timeout), as_it_is)
    }

    /// Waits for an item, and takes it with those behind it that are there already, `max` at most; as
    /// [`Queue::get_many`](crate::Queue::get_many).
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), if there is no item to return.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = multiproc_queue::Queue::<u32>::new()?.split();
    /// tx.put_many(0..5)?;
    /// assert_eq!(rx.get_many(3)?, [0, 1, 2]);
    /// assert_eq!(rx.drain().collect::<Result<Vec<_>, _>>()?, [3, 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get_many(&self, max: usize) -> Result<Vec<T>, GetError> {
        batch::get_many::<T, C>(&self.port, max)
    }

    /// Iterates over the items that are there, without waiting.
    pub fn drain(&self) -> impl Iterator<Item = Result<T, GetError>> {
        iter::drain::<T, C>(&self.port)
    }

    /// Iterates over all items, waiting for each, until there will be none.
    pub fn iter(&self) -> Iter<'_, T, C> {
        Iter::new(&self.port)
    }
}

impl<T, C> Receiver<T, C> {
    pub(crate) fn of(port: Port) -> Self {
        Self { port, types: PhantomData }
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn port(&self) -> &Port {
        &self.port
    }

    /// The number of items, as [`Queue::qsize`](crate::Queue::qsize).
    #[must_use]
    pub fn qsize(&self) -> usize {
        self.port.len()
    }
}

impl<T, C> Clone for Receiver<T, C> {
    fn clone(&self) -> Self {
        Self::of(self.port.clone())
    }
}

impl<T, C> Serialize for Receiver<T, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.port.serialize(serializer)
    }
}

impl<'de, T, C> Deserialize<'de> for Receiver<T, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Port::deserialize(deserializer).map(|port| Self::of(port.receiver()))
    }
}

/// As for [`Queue`](crate::Queue).
impl<T, C> AsFd for Receiver<T, C> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.port.core.ring.watch();
        self.port.core.ring.as_fd()
    }
}

impl<T, C> fmt::Debug for Receiver<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("qsize", &self.qsize()).finish_non_exhaustive()
    }
}
