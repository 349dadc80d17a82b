//! Why the ring does not do as asked.

use std::io;

use multiproc_shm::ShmError;

use super::lock::NotLocked;

/// Why nothing was put or taken. The ring is as it was.
#[derive(Debug)]
pub(crate) enum Refused {
    /// There is no room, or no item, and the patience is over.
    TimedOut,
    /// A slice of the waiting is over: the caller looks after the rest of the house and comes back.
    Slice,
    /// The queue has been shut down.
    ShutDown,
    /// This thread is in the middle of an operation on this queue: a signal handler has interrupted it.
    Reentered,
    /// Somebody has written over the ring.
    Damaged,
    /// There is no memory for the record.
    NoSpace(ShmError),
    /// There is no private memory for the item that is to be taken.
    OutOfMemory,
    /// The descriptors could not be sent.
    Os(io::Error),
}

impl From<NotLocked> for Refused {
    fn from(reason: NotLocked) -> Self {
        match reason {
            NotLocked::TimedOut => Self::TimedOut,
            NotLocked::Reentered => Self::Reentered,
        }
    }
}
