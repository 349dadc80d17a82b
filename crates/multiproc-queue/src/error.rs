//! What can go wrong.

use std::{error::Error, fmt, io};

use multiproc_shm::{HeapError, ShmError};

/// Why a queue cannot be made.
///
/// # Python
///
/// `OSError`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// There is no memory or address range for it. Python raises `OSError`.
    #[error("failed to make the memory of a queue")]
    Memory(#[source] ShmError),

    /// There is no memory for what tells who has it. Python raises `OSError`.
    #[error("failed to make what tells who has a queue")]
    Holders(#[source] HeapError),

    /// The system refused. Python raises `OSError`.
    #[error("failed to make {what} of a queue")]
    Os {
        /// What was to be made.
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

/// The queue has been closed by this handle.
///
/// # Python
///
/// `OSError: handle is closed`, or `ValueError: Queue ... is closed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("handle is closed: the queue was closed here, so keep it open or use a clone")]
pub struct Closed;

/// [`join_thread`](crate::Queue::join_thread) before [`close`](crate::Queue::close).
///
/// # Python
///
/// `AssertionError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("queue is not closed: call close before join_thread")]
pub struct NotClosed;

/// An item that cannot be turned into bytes, or bytes that are no item.
///
/// # Python
///
/// `PicklingError`, `UnpicklingError` and whatever else pickling raises.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct CodecError(Box<dyn Error + Send + Sync>);

impl CodecError {
    pub(crate) fn new(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

/// Why an item was not put; it comes back inside.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum PutError<T> {
    /// This handle has been closed. Python raises `ValueError`.
    #[error("queue is closed")]
    Closed(T),

    /// The queue has been shut down. Python raises `queue.ShutDown`.
    #[error("queue is shut down")]
    ShutDown(T),

    /// Nobody is left who could make room by taking an item. Python waits for ever.
    #[error("nobody is left who could take an item")]
    Abandoned(T),

    /// The item's `Serialize` refuses. Python reports it in the feeder thread and drops the item.
    #[error("failed to encode an item")]
    Encode(T, #[source] CodecError),

    /// There is no memory left for the item. Python raises `MemoryError`, or is killed.
    #[error("no memory is left for an item of a queue")]
    NoSpace(T, #[source] ShmError),

    /// More items than can be counted were never marked as done. Python raises `ValueError` after 2^31 of them.
    #[error(
        "more than {} items are not marked as done: call task_done for each",
        crate::ring::MOST_UNFINISHED
    )]
    Unfinished(T),

    /// The queue cannot be used. Python has no such error.
    #[error("queue cannot be used: {1}")]
    Broken(T, Broken),

    /// The system refused to send the descriptors in the item. Python raises `OSError` in the feeder thread.
    #[error("failed to send an item of a queue")]
    Os(T, #[source] io::Error),
}

/// Why a queue cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// A signal handler used the queue that the thread it interrupted was using. Python may hang.
    #[error(
        "this thread is using it already, and was interrupted by a signal whose handler may not"
    )]
    Reentered,
    /// A process has written over its memory. Python has no shared memory here.
    #[error("its memory has been overwritten")]
    Damaged,
}

/// Why an item was not put at once or in time; it comes back inside.
#[derive(thiserror::Error)]
pub enum TryPutError<T> {
    /// There is no room. Python raises `queue.Full`.
    #[error("queue is full")]
    Full(T),

    /// There will not be, or the item cannot be put.
    #[error(transparent)]
    Failed(PutError<T>),
}

/// Why there is no item.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GetError {
    /// This handle has been closed. Python raises `ValueError`.
    #[error("queue is closed")]
    Closed,

    /// The queue has been shut down, and is empty or was emptied. Python raises `queue.ShutDown`.
    #[error("queue is shut down")]
    ShutDown,

    /// The queue is empty, and nobody is left who could put an item. Python waits for ever.
    #[error("nobody is left who could put an item")]
    Abandoned,

    /// An item came that is not what was asked for, and is lost. Python raises what unpickling raises.
    #[error("failed to decode an item")]
    Decode(#[source] CodecError),

    /// The descriptors in an item could not be received, as when too many files are open, and it is lost.
    ///
    /// Python raises `OSError`.
    #[error("failed to receive the descriptors in an item: raise the limit of open files")]
    Lost,

    /// The system refused what is needed to await an item. Python has no such call.
    #[error("failed to await an item")]
    Os(#[source] io::Error),

    /// There is no memory for the item, which stays in the queue. Python raises `MemoryError`.
    #[error("no memory is left for an item that is to be taken")]
    OutOfMemory,

    /// The queue cannot be used. Python has no such error.
    #[error("queue cannot be used: {0}")]
    Broken(Broken),
}

/// Why there is no item at once or in time.
#[derive(Debug, thiserror::Error)]
pub enum TryGetError {
    /// The queue is empty. Python raises `queue.Empty`.
    #[error("queue is empty")]
    Empty,

    /// There will be none.
    #[error(transparent)]
    Failed(#[from] GetError),
}

/// Why waiting for all items to be done has ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// Items are unfinished, and nobody is left who could finish them. Python waits for ever.
    #[error("{unfinished} items are not marked as done, and nobody is left who could")]
    Abandoned {
        /// How many.
        unfinished: usize,
    },

    /// Time is up; only where a limit was given. Python has no such call.
    #[error("{unfinished} items are not marked as done in time")]
    TimedOut {
        /// How many.
        unfinished: usize,
    },
}

/// [`task_done`](crate::JoinableQueue::task_done) was called more often than items were put.
///
/// # Python
///
/// `ValueError: task_done() called too many times`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("task_done called too many times: call it once for each item that was taken")]
pub struct TooManyDone;

impl<T> PutError<T> {
    /// Returns the item.
    pub fn into_inner(self) -> T {
        match self {
            Self::Closed(value)
            | Self::ShutDown(value)
            | Self::Abandoned(value)
            | Self::Encode(value, _)
            | Self::NoSpace(value, _)
            | Self::Unfinished(value)
            | Self::Broken(value, _)
            | Self::Os(value, _) => value,
        }
    }
}

impl<T> TryPutError<T> {
    /// Returns the item.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) => value,
            Self::Failed(error) => error.into_inner(),
        }
    }

    /// Returns true if there was no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

impl TryGetError {
    /// Returns true if there was no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

// Whatever the item is: it is not shown.
impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Closed(_) => "Closed",
            Self::ShutDown(_) => "ShutDown",
            Self::Abandoned(_) => "Abandoned",
            Self::Encode(_, source) => return f.debug_tuple("Encode").field(source).finish(),
            Self::NoSpace(_, source) => return f.debug_tuple("NoSpace").field(source).finish(),
            Self::Unfinished(_) => "Unfinished",
            Self::Broken(_, why) => return f.debug_tuple("Broken").field(why).finish(),
            Self::Os(_, source) => return f.debug_tuple("Os").field(source).finish(),
        };
        f.write_str(name)
    }
}

impl<T> fmt::Debug for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("Full"),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}
