//! The transport of listeners and clients: messages on a stream of bytes, framed as CPython does.
//!
//! The README beside this file tells the format.
//!
//! **Invariant:** no byte behind the current message is ever read. So what comes next is there for
//! whoever receives next, `wait` tells the truth, and an end can be handed on between messages.
//!
//! **Invariant:** `place` and `half_sent` tell a forked child what it has to know of a lock that a
//! thread of its parent had: they are set as soon as a part of a message is through.

mod header;
mod incoming;
mod outgoing;

use std::io;

use multiproc_sys::{
    poll,
    primitive::{AtomicBool, AtomicU32, Ordering},
};
use multiproc_wire::Handle;

use self::{incoming::Incoming, outgoing::Outgoing};
use crate::{
    RecvError, TryRecvError, TrySendError, bounds::Bounds, buffers::Buffers, patience::Patience,
    turn::Turn,
};
use std::os::fd::{AsFd, BorrowedFd};

/// Between two messages.
const BETWEEN: u32 = 0;
/// The beginning of a message is received, and kept for the rest.
const WITHIN: u32 = 1;
/// The next byte is not the first of a message: nothing can be received any more.
const LOST: u32 = 2;

/// One end of a stream socket.
pub(crate) struct Stream {
    handle: Handle,
    incoming: Turn<Incoming>,
    outgoing: Turn<Outgoing>,
    /// Where the receiving side stands: one of the three above. Written under `incoming`.
    place: AtomicU32,
    /// The beginning of a message is sent, and the rest is not. Written under `outgoing`.
    half_sent: AtomicBool,
}

impl Stream {
    pub(crate) fn new(handle: Handle) -> Self {
        Self {
            handle,
            incoming: Turn::new(Incoming::default(), Incoming::inherit),
            outgoing: Turn::new(Outgoing::default(), Outgoing::inherit),
            place: AtomicU32::new(BETWEEN),
            half_sent: AtomicBool::new(false),
        }
    }

    /// Returns the descriptor, if the next byte is the first of a message.
    pub(crate) fn handle(&self) -> io::Result<&Handle> {
        self.check_between()?;
        Ok(&self.handle)
    }

    /// As [`handle`](Self::handle), and ends this.
    pub(crate) fn into_handle(self) -> io::Result<Handle> {
        self.check_between()?;
        Ok(self.handle)
    }

    fn check_between(&self) -> io::Result<()> {
        match self.place.load(Ordering::Acquire) {
            BETWEEN => Ok(()),
            WITHIN => Err(io::Error::other(
                "half a message is received already: receive the rest before handing the end on",
            )),
            _ => Err(io::Error::other(RecvError::Lost)),
        }
    }

    /// Sends a message. Once its first byte is out the call waits for the last.
    pub(crate) fn send(
        &self,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        patience: Patience,
    ) -> Result<(), TrySendError> {
        let mut outgoing = self.outgoing.take(patience).ok_or(TrySendError::Full)?;
        outgoing.send(self.as_fd(), bytes, fds, patience, &self.half_sent)
    }

    /// Receives a message into the buffers.
    ///
    /// `Empty` says that patience ended. What has come of a message by then is kept for the next
    /// call.
    pub(crate) fn recv(
        &self,
        buffers: &mut Buffers,
        bounds: Bounds,
        patience: Patience,
    ) -> Result<(), TryRecvError> {
        let mut incoming = self.incoming.take(patience).ok_or(TryRecvError::Empty)?;
        match self.place.load(Ordering::Acquire) {
            LOST => return Err(RecvError::Lost.into()),
            // A thread of the process that this one was forked from has the beginning.
            WITHIN if incoming.is_between() => {
                self.place.store(LOST, Ordering::Release);
                return Err(RecvError::Lost.into());
            }
            _ => {}
        }
        let result = incoming.recv(self.as_fd(), bounds, patience, || {
            self.place.store(WITHIN, Ordering::Release);
        });
        let place = match (&result, incoming.is_between()) {
            (Ok(()) | Err(TryRecvError::Empty), true) => BETWEEN,
            (Err(TryRecvError::Recv(RecvError::Closed)), _) => BETWEEN,
            (Ok(()) | Err(TryRecvError::Empty), false) => WITHIN,
            // The descriptors of a whole message found no room.
            (Err(_), true) => BETWEEN,
            (Err(_), false) => LOST,
        };
        if place == LOST {
            *incoming = Incoming::default();
        }
        self.place.store(place, Ordering::Release);
        if result.is_ok() {
            incoming.hand_out(buffers);
        }
        result
    }

    /// Waits until there is something to receive; false if time is up.
    pub(crate) fn poll(&self, patience: Patience) -> io::Result<bool> {
        if self.place.load(Ordering::Acquire) == LOST {
            return Err(io::Error::other(RecvError::Lost));
        }
        poll::wait_readable(self.as_fd(), patience.deadline())
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

#[cfg(test)]
mod tests;
