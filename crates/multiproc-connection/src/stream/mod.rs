//! The transport of listeners and clients: messages on a stream of bytes, framed as CPython does.
//!
//! The README beside this file tells the format.
//!
//! **Invariant:** no byte behind the current message is ever read. So what comes next is there for
//! whoever receives next, `wait` tells the truth, and an end can be handed on between messages.

mod header;
mod incoming;
mod outgoing;
#[cfg(feature = "tokio")]
mod awaited;

use std::io;

use multiproc_sys::{
    poll,
    primitive::{AtomicU32, Ordering},
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
/// A call gave up within a message, whose beginning is kept here.
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
    /// Not zero while the rest of a message is still to be sent. Written under `outgoing`.
    unsent: AtomicU32,
}

impl Stream {
    pub(crate) fn new(handle: Handle) -> Self {
        Self {
            handle,
            incoming: Turn::new(Incoming::default()),
            outgoing: Turn::new(Outgoing::default()),
            place: AtomicU32::new(BETWEEN),
            unsent: AtomicU32::new(0),
        }
    }

    /// Returns the descriptor, if the next byte either way is the first of a message.
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
        if self.unsent.load(Ordering::Acquire) != 0 {
            return Err(io::Error::other(
                "half a message is sent already: send the rest before handing the end on",
            ));
        }
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
        let result = outgoing.send(self.as_fd(), bytes, fds, patience);
        self.unsent.store(u32::from(outgoing.has_rest()), Ordering::Release);
        result
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
        self.recv_in_turn(&mut incoming, buffers, bounds, patience)
    }

    fn recv_in_turn(
        &self,
        incoming: &mut Incoming,
        buffers: &mut Buffers,
        bounds: Bounds,
        patience: Patience,
    ) -> Result<(), TryRecvError> {
        if self.place.load(Ordering::Acquire) == LOST {
            return Err(RecvError::Lost.into());
        }
        let result = incoming.recv(self.as_fd(), bounds, patience);
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
