//! The transport of pipes: one packet a message.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use multiproc_sys::{packet, poll};
use multiproc_wire::Handle;
use rustix::io::Errno;

use crate::{
    RecvError, SendError, TryRecvError, TrySendError, bounds::Bounds, buffers::Buffers,
    patience::Patience,
};

type Recv = fn(BorrowedFd<'_>, &mut Vec<u8>, &mut Vec<OwnedFd>) -> io::Result<bool>;

/// One end of a socket that keeps message boundaries.
pub(crate) struct Packet(Handle);

impl Packet {
    pub(crate) fn new(handle: Handle) -> Self {
        Self(handle)
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.0
    }

    pub(crate) fn into_handle(self) -> Handle {
        self.0
    }

    pub(crate) fn send(
        &self,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        patience: Patience,
    ) -> Result<(), TrySendError> {
        let send = if let Patience::Endless = patience { packet::send } else { packet::try_send };
        loop {
            match send(self.0.as_fd(), bytes, fds) {
                Ok(()) => return Ok(()),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
                Err(err) => return Err(SendError::from(err).into()),
            }
            // Without a deadline: somebody who has a copy of this end made it non-blocking.
            if !wait_writable(self.0.as_fd(), patience)? {
                return Err(TrySendError::Full);
            }
        }
    }

    /// Receives a message into the buffers.
    pub(crate) fn recv(
        &self,
        buffers: &mut Buffers,
        bounds: Bounds,
        patience: Patience,
    ) -> Result<(), TryRecvError> {
        let recv = if let Patience::Endless = patience { packet::recv } else { packet::try_recv };
        while !self.attempt(recv, buffers)? {
            // Readable is no promise: another thread or process may be faster.
            if !wait_readable(self.0.as_fd(), patience)? {
                return Err(TryRecvError::Empty);
            }
        }
        let length = buffers.bytes.len() as u64;
        if bounds.bytes < length {
            return Err(RecvError::TooLong { length, limit: bounds.bytes }.into());
        }
        if !bounds.handles && !buffers.fds.is_empty() {
            return Err(RecvError::from(io::Error::from(io::ErrorKind::InvalidData)).into());
        }
        Ok(())
    }

    /// Returns false if to receive is to wait.
    fn attempt(&self, recv: Recv, buffers: &mut Buffers) -> Result<bool, RecvError> {
        let mut recv = || recv(self.0.as_fd(), &mut buffers.bytes, &mut buffers.fds);
        let received = recv().or_else(|err| match err.kind() {
            // Reported once when the peer left something of ours unread. What it sent itself
            // is still to come, or else the end.
            io::ErrorKind::ConnectionReset => recv(),
            _ => Err(err),
        });
        match received {
            Ok(true) => Ok(true),
            Ok(false) => Err(RecvError::Closed),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(false),
            // The packet is taken off all the same.
            Err(err) if err.raw_os_error() == Some(Errno::MFILE.raw_os_error()) => {
                Err(RecvError::NoRoom)
            }
            Err(err) => Err(RecvError::Io(err)),
        }
    }
}

/// Waits for something to read; false if patience ends first.
pub(crate) fn wait_readable(fd: BorrowedFd<'_>, patience: Patience) -> Result<bool, RecvError> {
    match patience {
        Patience::None => Ok(false),
        _ => Ok(poll::wait_readable(fd, patience.deadline())?),
    }
}

/// Waits for room to write; false if patience ends first.
pub(crate) fn wait_writable(fd: BorrowedFd<'_>, patience: Patience) -> Result<bool, SendError> {
    match patience {
        Patience::None => Ok(false),
        _ => poll::wait_writable(fd, patience.deadline()).map_err(SendError::Io),
    }
}
