//! The untyped end: one packet a message, with all its errors told apart.
//!
//! **Invariant:** this file alone knows the transport; the public types only add the values' types
//! and the direction.

use std::{
    fmt, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    time::{Duration, Instant},
};

use multiproc_sys::{packet, poll};
use multiproc_wire::{Handle, decode, encode_into};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError, buffers::Buffers};

type Send = fn(BorrowedFd<'_>, &[u8], &[BorrowedFd<'_>]) -> io::Result<()>;
type Recv = fn(BorrowedFd<'_>, &mut Vec<u8>, &mut Vec<OwnedFd>) -> io::Result<bool>;

/// One end of a socket that keeps message boundaries.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Socket(Handle);

impl Socket {
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = packet::pair()?;
        Ok((a.into(), b.into()))
    }

    pub(crate) fn into_owned(self) -> io::Result<OwnedFd> {
        self.0.into_owned()
    }

    pub(crate) fn send<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), SendError> {
        self.encode(value, |bytes, fds| self.send_raw(bytes, fds))
    }

    pub(crate) fn try_send<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), TrySendError> {
        self.encode(value, |bytes, fds| self.attempt_send(packet::try_send, bytes, fds))
    }

    pub(crate) fn send_bytes(&self, bytes: &[u8]) -> Result<(), SendError> {
        self.send_raw(bytes, &[])
    }

    pub(crate) fn recv<T: DeserializeOwned>(&self) -> Result<T, RecvError> {
        self.recv_with(into_value)
    }

    pub(crate) fn try_recv<T: DeserializeOwned>(&self) -> Result<T, TryRecvError> {
        self.attempt_recv(packet::try_recv, into_value)
    }

    pub(crate) fn recv_timeout<T: DeserializeOwned>(
        &self,
        timeout: Duration,
    ) -> Result<T, RecvTimeoutError> {
        let deadline = poll::deadline_after(timeout);
        loop {
            match self.attempt_recv(packet::try_recv, into_value) {
                Ok(value) => return Ok(value),
                Err(TryRecvError::Recv(err)) => return Err(err.into()),
                Err(TryRecvError::Empty) => {}
            }
            // Readable is no promise: another thread or process may be faster.
            if !self.wait_readable(deadline).map_err(RecvError::Io)? {
                return Err(RecvTimeoutError::Timeout);
            }
        }
    }

    pub(crate) fn recv_bytes(&self) -> Result<Vec<u8>, RecvError> {
        self.recv_with(|buffers| Ok(into_bytes(buffers)))
    }

    pub(crate) fn recv_bytes_into(&self, buffer: &mut [u8]) -> Result<usize, RecvError> {
        self.recv_with(|buffers| match buffer.get_mut(..buffers.bytes.len()) {
            Some(head) => {
                head.copy_from_slice(&buffers.bytes);
                Ok(head.len())
            }
            None => {
                let capacity = buffer.len();
                Err(RecvError::BufferTooShort { message: into_bytes(buffers), capacity })
            }
        })
    }

    pub(crate) fn poll(&self, timeout: Option<Duration>) -> io::Result<bool> {
        self.wait_readable(timeout.and_then(poll::deadline_after))
    }

    fn wait_readable(&self, deadline: Option<Instant>) -> io::Result<bool> {
        poll::wait_readable(self.as_fd(), deadline)
    }

    fn encode<T: Serialize + ?Sized, E: From<SendError>>(
        &self,
        value: &T,
        send: impl FnOnce(&[u8], &[BorrowedFd<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        Buffers::lend(|Buffers { bytes, handles, .. }| {
            encode_into(value, bytes, handles).map_err(SendError::Encode)?;
            // Without handles this allocates nothing.
            let fds: Vec<_> = handles.iter().map(AsFd::as_fd).collect();
            send(bytes, &fds)
        })
    }

    fn send_raw(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), SendError> {
        loop {
            match self.attempt_send(packet::send, bytes, fds) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Send(err)) => return Err(err),
                // Somebody who has a copy of this end made it non-blocking.
                Err(TrySendError::Full) => {
                    poll::wait_writable(self.as_fd(), None).map_err(SendError::Io)?;
                }
            }
        }
    }

    fn attempt_send(
        &self,
        send: Send,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), TrySendError> {
        send(self.as_fd(), bytes, fds).map_err(|err| match err.kind() {
            io::ErrorKind::WouldBlock => TrySendError::Full,
            _ => SendError::from(err).into(),
        })
    }

    fn recv_with<T>(
        &self,
        mut then: impl FnMut(&mut Buffers) -> Result<T, RecvError>,
    ) -> Result<T, RecvError> {
        loop {
            match self.attempt_recv(packet::recv, &mut then) {
                Ok(value) => return Ok(value),
                Err(TryRecvError::Recv(err)) => return Err(err),
                // Somebody who has a copy of this end made it non-blocking.
                Err(TryRecvError::Empty) => {
                    self.wait_readable(None)?;
                }
            }
        }
    }

    fn attempt_recv<T>(
        &self,
        recv: Recv,
        then: impl FnOnce(&mut Buffers) -> Result<T, RecvError>,
    ) -> Result<T, TryRecvError> {
        Buffers::lend(|buffers| {
            let mut recv = || recv(self.as_fd(), &mut buffers.bytes, &mut buffers.fds);
            let received = recv().or_else(|err| match err.kind() {
                // Reported once when the peer left something of ours unread. What it sent itself
                // is still to come, or else the end.
                io::ErrorKind::ConnectionReset => recv(),
                _ => Err(err),
            });
            match received {
                Ok(true) => Ok(then(buffers)?),
                Ok(false) => Err(RecvError::Closed.into()),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => Err(TryRecvError::Empty),
                Err(err) => Err(RecvError::Io(err).into()),
            }
        })
    }
}

fn into_value<T: DeserializeOwned>(buffers: &mut Buffers) -> Result<T, RecvError> {
    Ok(decode(&buffers.bytes, std::mem::take(&mut buffers.fds))?)
}

/// Takes the message out; the small ones by copying, so that the buffer stays.
fn into_bytes(buffers: &mut Buffers) -> Vec<u8> {
    if buffers.bytes.len() <= packet::INLINE {
        buffers.bytes.clone()
    } else {
        std::mem::take(&mut buffers.bytes)
    }
}

impl From<OwnedFd> for Socket {
    fn from(fd: OwnedFd) -> Self {
        Self(fd.into())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_raw_fd().fmt(f)
    }
}
