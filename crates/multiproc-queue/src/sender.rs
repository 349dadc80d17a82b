//! The end of a queue that can only put.

use std::{fmt, marker::PhantomData, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Postcard, PutError, TryPutError, batch,
    calls::{self, as_it_is, never_full},
    codec::Code,
    port::{Overflow, Port},
    ring::Patience,
};

/// The end of a queue that can only put. Clones, and copies that were sent, put into the same queue.
///
/// Made by [`Queue::split`](crate::Queue::split), which has an example.
///
/// # If a process dies
///
/// The system lets go of its ends. When no receiving end is left anywhere, a put that waits ends with
/// [`PutError::Abandoned`]; when no sending end is left, who takes the last item is followed by
/// [`GetError::Abandoned`](crate::GetError::Abandoned).
///
/// # Python
///
/// Nothing like it: there every handle does both, and nobody learns of the end.
pub struct Sender<T, C = Postcard> {
    port: Port,
    types: PhantomData<fn(T) -> C>,
}

impl<T, C: Code<T>> Sender<T, C> {
    /// Puts an item, waiting while a bounded queue is full.
    ///
    /// # Errors
    ///
    /// [`PutError`], with the item inside.
    pub fn put(&self, value: T) -> Result<(), PutError<T>> {
        calls::put::<T, C, _>(&self.port, value, Overflow::Usual(Patience::Endless), never_full)
            .map(drop)
    }

    /// Puts an item if there is room.
    ///
    /// # Errors
    ///
    /// [`TryPutError`], with the item inside.
    pub fn try_put(&self, value: T) -> Result<(), TryPutError<T>> {
        calls::put::<T, C, _>(&self.port, value, Overflow::Usual(Patience::None), as_it_is)
            .map(drop)
    }

    /// Puts an item, waiting for room for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`TryPutError`], with the item inside.
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
    /// let (tx, rx) = multiproc_queue::Queue::<String>::new()?.split();
    /// let item = "again".to_owned();
    /// tx.put_ref(&item)?;
    /// assert_eq!(rx.get()?, item);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn put_ref(&self, value: &T) -> Result<(), PutError<()>> {
        calls::put_ref::<T, C>(&self.port, value, Overflow::Usual(Patience::Endless))
            .map(drop)
            .map_err(|reason| never_full(calls::put_error((), *reason)))
    }

    /// Puts every item of an iterator, in its order, and returns their number; as
    /// [`Queue::put_many`](crate::Queue::put_many), which has an example.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put), with the item at which it stopped.
    pub fn put_many(&self, items: impl IntoIterator<Item = T>) -> Result<usize, PutError<T>> {
        batch::put_many::<T, C>(&self.port, items)
    }
}

impl<T, C> Sender<T, C> {
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

impl<T, C> Clone for Sender<T, C> {
    fn clone(&self) -> Self {
        Self::of(self.port.clone())
    }
}

impl<T, C> Serialize for Sender<T, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.port.serialize(serializer)
    }
}

impl<'de, T, C> Deserialize<'de> for Sender<T, C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Port::deserialize(deserializer).map(|port| Self::of(port.sender()))
    }
}

impl<T, C> fmt::Debug for Sender<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("qsize", &self.qsize()).finish_non_exhaustive()
    }
}
