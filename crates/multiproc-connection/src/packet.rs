//! The transport of pipes: one packet a message.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

#[cfg(feature = "tokio")]
use multiproc_sys::payload::Payload;
use multiproc_sys::{
    packet::{self, Parcel, Received},
    poll,
};
use multiproc_wire::Handle;
use rustix::io::Errno;

use crate::{
    RecvError, SendError, TryRecvError, TrySendError, bounds::Bounds, buffers::Buffers,
    outbox::Outbox, patience::Patience,
};

/// One end of a socket that keeps message boundaries.
pub(crate) struct Packet {
    handle: Handle,
    outbox: Outbox,
}

impl Packet {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle, outbox: Outbox::default() }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn into_handle(self) -> Handle {
        self.handle
    }

    #[inline(always)]
    pub(crate) fn send(
        &self,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        patience: Patience,
    ) -> Result<(), TrySendError> {
        let socket = self.handle.as_fd();
        if packet::INLINE < bytes.len() {
            return self.send_long(bytes, fds, patience);
        }
        let sent = match patience {
            Patience::Endless => packet::send(socket, bytes, fds),
            _ => packet::try_send(socket, bytes, fds),
        };
        match sent {
            Ok(()) => Ok(()),
            Err(err) => self.send_later(bytes, fds, patience, err),
        }
    }

    /// Sends what could not be sent at once, if all that it takes is patience.
    #[cold]
    fn send_later(
        &self,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        patience: Patience,
        err: io::Error,
    ) -> Result<(), TrySendError> {
        let socket = self.handle.as_fd();
        let mut first = Some(err);
        attempt(socket, patience, || match first.take() {
            Some(err) => Err(err),
            None => packet::try_send(socket, bytes, fds),
        })
    }

    /// Sends what does not fit a packet.
    #[inline(never)]
    fn send_long(
        &self,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        patience: Patience,
    ) -> Result<(), TrySendError> {
        let (file, payload) = self.outbox.fill(bytes, patience).map_err(SendError::from)?;
        let parcel = Parcel::in_file(file, bytes.len(), fds).map_err(SendError::from)?;
        let socket = self.handle.as_fd();
        let result = attempt(socket, patience, || match patience {
            Patience::Endless => parcel.send(socket),
            _ => parcel.try_send(socket),
        });
        // First the receiver's: then the file is free as soon as that one has read it.
        drop(parcel);
        self.outbox.keep(payload);
        result
    }

    /// Makes a message ready, to be tried until the socket has room for it.
    #[cfg(feature = "tokio")]
    pub(crate) fn parcel<'a>(
        &self,
        bytes: &'a [u8],
        fds: &'a [BorrowedFd<'a>],
    ) -> io::Result<(Parcel<'a>, Option<Payload>)> {
        if bytes.len() <= packet::INLINE {
            return Ok((Parcel::new(bytes, fds)?, None));
        }
        let (file, payload) = self.outbox.fill(bytes, Patience::None)?;
        Ok((Parcel::in_file(file, bytes.len(), fds)?, payload))
    }

    /// Takes back the file of a message made by [`parcel`](Self::parcel).
    #[cfg(feature = "tokio")]
    pub(crate) fn keep(&self, payload: Option<Payload>) {
        self.outbox.keep(payload);
    }

    /// Receives a message into the buffers.
    #[inline(always)]
    pub(crate) fn recv(
        &self,
        buffers: &mut Buffers,
        bounds: Bounds,
        patience: Patience,
    ) -> Result<(), TryRecvError> {
        while !self.attempt(buffers, patience)? {
            // Readable is no promise: another thread or process may be faster.
            if !wait_readable(self.handle.as_fd(), patience)? {
                return Err(TryRecvError::Empty);
            }
        }
        let length = buffers.length();
        if bounds.bytes < length {
            return Err(RecvError::TooLong { length, limit: bounds.bytes }.into());
        }
        if !bounds.handles && !buffers.fds.is_empty() {
            return Err(RecvError::from(io::Error::from(io::ErrorKind::InvalidData)).into());
        }
        Ok(())
    }

    /// Returns false if to receive is to wait.
    #[inline(always)]
    fn attempt(&self, buffers: &mut Buffers, patience: Patience) -> Result<bool, RecvError> {
        let mut received = self.recv_head(buffers, patience);
        if received.as_ref().is_err_and(|err| err.kind() == io::ErrorKind::ConnectionReset) {
            // Reported once when the peer left something of ours unread. What it sent itself
            // is still to come, or else the end.
            received = self.recv_again(buffers, patience);
        }
        match received {
            Ok(Received::Whole) => Ok(true),
            Ok(Received::InFile(file)) => {
                buffers.file = Some(file);
                Ok(true)
            }
            Ok(Received::End) => Err(RecvError::Closed),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(false),
            // The packet is taken off all the same.
            Err(err) if err.raw_os_error() == Some(Errno::MFILE.raw_os_error()) => {
                Err(RecvError::NoRoom)
            }
            Err(err) => Err(RecvError::Io(err)),
        }
    }

    #[inline(always)]
    fn recv_head(&self, buffers: &mut Buffers, patience: Patience) -> io::Result<Received> {
        let Buffers { bytes, fds, .. } = buffers;
        match patience {
            Patience::Endless => packet::recv_head(self.handle.as_fd(), bytes, fds),
            _ => packet::try_recv_head(self.handle.as_fd(), bytes, fds),
        }
    }

    #[cold]
    fn recv_again(&self, buffers: &mut Buffers, patience: Patience) -> io::Result<Received> {
        self.recv_head(buffers, patience)
    }
}

/// Sends, waiting for room as long as patience lasts.
fn attempt(
    socket: BorrowedFd<'_>,
    patience: Patience,
    mut send: impl FnMut() -> io::Result<()>,
) -> Result<(), TrySendError> {
    loop {
        match send() {
            Ok(()) => return Ok(()),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
            Err(err) => return Err(SendError::from(err).into()),
        }
        // Without a deadline: somebody who has a copy of this end made it non-blocking.
        if !wait_writable(socket, patience)? {
            return Err(TrySendError::Full);
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
