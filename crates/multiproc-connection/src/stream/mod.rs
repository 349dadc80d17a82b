//! The transport of listeners and clients: messages on a stream of bytes, framed as CPython does.
//!
//! The README beside this file tells the format.
//!
//! **Invariant:** no byte behind the current message is ever read, except by an end that was told to read
//! ahead. So what comes next is there for whoever receives next, `wait` tells the truth, and an end can be
//! handed on between messages.
//!
//! **Invariant:** `receiving` and `sending` tell a forked child what it has to know of a lock that a
//! thread of its parent had: they are set as soon as a part of a message is through.

mod header;
mod ahead;
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

use self::{
    incoming::Incoming,
    outgoing::{Outgoing, Wire},
};
use crate::{
    RecvError, SendError, TryRecvError, TrySendError, bounds::Bounds, buffers::Buffers,
    patience::Patience, turn::Turn,
};
use std::os::fd::{AsFd, BorrowedFd};

/// Between two messages.
const BETWEEN: u32 = 0;
/// The next byte is inside a message, whose rest is not ours: nothing can go this way any more.
const LOST: u32 = 1;
/// The beginning of a message is received, and kept for the rest.
const BEGUN: u32 = 2;
/// A thread is sending a message, of which a part may be out, and sends the rest.
const SENDING: u32 = 3;
/// The beginning of a message is sent, and the rest kept for whoever sends next.
const KEPT: u32 = 4;
/// What came behind the last message is kept for the next.
const AHEAD: u32 = 5;

/// One end of a stream socket.
pub(crate) struct Stream {
    handle: Handle,
    incoming: Turn<Incoming>,
    outgoing: Turn<Outgoing>,
    /// Where the receiving side stands: `BETWEEN`, `BEGUN`, `AHEAD` or `LOST`. Written under `incoming`.
    receiving: AtomicU32,
    /// Where the sending side stands: `BETWEEN`, `SENDING`, `KEPT` or `LOST`. Written under
    /// `outgoing`.
    sending: AtomicU32,
}

impl Stream {
    pub(crate) fn new(handle: Handle) -> Self {
        Self {
            handle,
            incoming: Turn::new(Incoming::default(), Incoming::inherit),
            outgoing: Turn::new(Outgoing::default(), Outgoing::inherit),
            receiving: AtomicU32::new(BETWEEN),
            sending: AtomicU32::new(BETWEEN),
        }
    }

    /// Has this end take what has come from now on, not one message at a time.
    pub(crate) fn read_ahead(&self) {
        if let Some(mut incoming) = self.incoming.take(Patience::Endless) {
            incoming.read_ahead();
        }
    }

    /// Returns the descriptor, if the next byte either way is the first of a message.
    ///
    /// What a thread is sending meanwhile does not count: it sends the rest, too.
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
        if self.sending.load(Ordering::Acquire) != BETWEEN
            && let Some(mut outgoing) = self.outgoing.take(Patience::None)
        {
            outgoing.check_ours(self.wire()).map_err(io::Error::other)?;
        }
        match self.sending.load(Ordering::Acquire) {
            KEPT => {
                return Err(io::Error::other(
                    "half a message is sent already: send the rest before handing the end on",
                ));
            }
            LOST => return Err(io::Error::other(SendError::HalfSent)),
            _ => {}
        }
        match self.receiving.load(Ordering::Acquire) {
            BETWEEN => Ok(()),
            BEGUN => Err(io::Error::other(
                "half a message is received already: receive the rest before handing the end on",
            )),
            AHEAD => Err(io::Error::other(
                "messages are read ahead already: receive them before handing the end on",
            )),
            _ => Err(io::Error::other(RecvError::Lost)),
        }
    }

    fn wire(&self) -> Wire<'_> {
        Wire { socket: self.as_fd(), place: &self.sending }
    }

    /// Sends a message. Once its first byte is out the call waits for the last.
    pub(crate) fn send(
        &self,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        patience: Patience,
    ) -> Result<(), TrySendError> {
        let mut outgoing = self.outgoing.take(patience).ok_or(TrySendError::Full)?;
        outgoing.send(self.wire(), bytes, fds, patience)
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
        match self.receiving.load(Ordering::Acquire) {
            LOST => return Err(RecvError::Lost.into()),
            // The process that this one was forked from has the beginning.
            BEGUN | AHEAD if incoming.place() == BETWEEN => {
                self.receiving.store(LOST, Ordering::Release);
                return Err(RecvError::Lost.into());
            }
            _ => {}
        }
        let result = incoming.recv(self.as_fd(), bounds, patience, || {
            self.receiving.store(BEGUN, Ordering::Release);
        });
        let place = match (&result, incoming.place()) {
            (Ok(()) | Err(TryRecvError::Empty), place) => place,
            (Err(TryRecvError::Recv(RecvError::Closed)), _) => BETWEEN,
            // The descriptors of a whole message found no room.
            (Err(_), BETWEEN) => BETWEEN,
            (Err(_), _) => LOST,
        };
        if place == LOST {
            *incoming = Incoming::default();
        }
        self.receiving.store(place, Ordering::Release);
        if result.is_ok() {
            incoming.hand_out(buffers);
        }
        result
    }

    /// Waits until there is something to receive; false if time is up.
    pub(crate) fn poll(&self, patience: Patience) -> io::Result<bool> {
        match self.receiving.load(Ordering::Acquire) {
            LOST => return Err(io::Error::other(RecvError::Lost)),
            AHEAD => return Ok(true),
            _ => {}
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
