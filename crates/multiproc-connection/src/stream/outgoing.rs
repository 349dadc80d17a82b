//! The message that is being sent.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd},
};

use multiproc_sys::packet;
use rustix::{
    io::Errno,
    net::{
        AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg,
        sockopt::socket_domain,
    },
};

use super::header::{self, Header};
use crate::{SendError, TrySendError, packet::wait_writable, patience::Patience};

/// The sending side.
#[derive(Default)]
pub(super) struct Outgoing {
    /// A message broke off in its middle: whatever followed would be taken for its rest.
    broken: bool,
    /// What is still to be sent of a message whose sender did not wait, from `at` on. Whoever sends
    /// next sends this first.
    rest: Vec<u8>,
    at: usize,
    /// How many messages have left a rest so far.
    rests: u64,
}

impl Outgoing {
    /// Sends a message. Once its first byte is out this waits for the last.
    pub(super) fn send(
        &mut self,
        socket: BorrowedFd<'_>,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        patience: Patience,
    ) -> Result<(), TrySendError> {
        self.send_with(socket, bytes, fds, patience, Patience::Endless)
    }

    /// Sends a message. The first byte goes out with `patience`, or else none does; those that do
    /// not go out with the patience of `midway` are kept as the rest.
    fn send_with(
        &mut self,
        socket: BorrowedFd<'_>,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        patience: Patience,
        midway: Patience,
    ) -> Result<(), TrySendError> {
        self.flush(socket, patience)?;
        check_handles(socket, fds)?;
        let handles = u32::try_from(fds.len()).map_err(|_| io_error(Errno::TOOMANYREFS))?;
        // More than fit ride in a socket of their own, filled beforehand.
        let carrier = match fds.len() {
            0..=packet::DIRECT => None,
            _ => Some(stuff(fds).map_err(SendError::Io)?),
        };
        let attached = match &carrier {
            None => fds,
            Some(carrier) => &[carrier.as_fd()],
        };

        let mut header = [0; header::MOST];
        let len = Header { length: bytes.len() as u64, handles }.write(&mut header);
        let mut slices = [IoSlice::new(&header[..len]), IoSlice::new(bytes)];
        let mut left = &mut slices[..];
        let sent = write(socket, left, attached, patience)?;
        IoSlice::advance_slices(&mut left, sent);
        while !left.is_empty() {
            match write(socket, left, &[], midway) {
                Ok(more) => IoSlice::advance_slices(&mut left, more),
                Err(TrySendError::Full) => {
                    left.iter().for_each(|slice| self.rest.extend_from_slice(slice));
                    self.rests += 1;
                    break;
                }
                Err(err) => {
                    self.broken = true;
                    return Err(err);
                }
            }
        }
        Ok(())
    }

    /// Sends what the socket takes of a message. Where that is not all, the rest is kept, and its
    /// number returned; `Full` says that nothing was sent.
    #[cfg(feature = "tokio")]
    pub(super) fn begin(
        &mut self,
        socket: BorrowedFd<'_>,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> Result<Option<u64>, TrySendError> {
        self.send_with(socket, bytes, fds, Patience::None, Patience::None)?;
        Ok(self.has_rest().then_some(self.rests))
    }

    /// Sends what the socket takes of the rest with that number, unless another has sent it.
    #[cfg(feature = "tokio")]
    pub(super) fn go_on(
        &mut self,
        socket: BorrowedFd<'_>,
        number: u64,
    ) -> Result<(), TrySendError> {
        if self.rests == number && self.has_rest() {
            self.flush(socket, Patience::None)?;
        }
        Ok(())
    }

    /// Returns true if the rest of a message is still to be sent.
    pub(super) fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Sends what is left of the last message.
    fn flush(&mut self, socket: BorrowedFd<'_>, patience: Patience) -> Result<(), TrySendError> {
        if self.broken {
            return Err(SendError::Closed.into());
        }
        while self.at < self.rest.len() {
            match write(socket, &[IoSlice::new(&self.rest[self.at..])], &[], patience) {
                Ok(more) => self.at += more,
                Err(TrySendError::Full) => return Err(TrySendError::Full),
                Err(err) => {
                    // The rest stays, and so shows whose message it was that broke off.
                    self.broken = true;
                    return Err(err);
                }
            }
        }
        self.rest = Vec::new();
        self.at = 0;
        Ok(())
    }
}

fn check_handles(socket: BorrowedFd<'_>, fds: &[BorrowedFd<'_>]) -> Result<(), SendError> {
    if !fds.is_empty() && socket_domain(socket).map_err(io_error)? != AddressFamily::UNIX {
        return Err(SendError::HandlesRefused);
    }
    Ok(())
}

fn io_error(errno: Errno) -> SendError {
    SendError::Io(errno.into())
}

/// Puts descriptors into a fresh socket and returns the end from which they can be taken.
fn stuff(fds: &[BorrowedFd<'_>]) -> io::Result<std::os::fd::OwnedFd> {
    let (ours, theirs) = packet::pair()?;
    packet::try_send(ours.as_fd(), &[], fds)?;
    Ok(theirs)
}

/// Writes what the socket takes of the slices, at least one byte, with the descriptors attached.
fn write(
    socket: BorrowedFd<'_>,
    slices: &[IoSlice<'_>],
    fds: &[BorrowedFd<'_>],
    patience: Patience,
) -> Result<usize, TrySendError> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(packet::DIRECT))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io_error(Errno::TOOMANYREFS).into());
    }
    let mut flags = SendFlags::NOSIGNAL;
    if !matches!(patience, Patience::Endless) {
        flags |= SendFlags::DONTWAIT;
    }
    loop {
        match sendmsg(socket, slices, &mut control, flags) {
            Ok(sent) => return Ok(sent),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                if !wait_writable(socket, patience)? {
                    return Err(TrySendError::Full);
                }
            }
            Err(errno) => return Err(SendError::from(io::Error::from(errno)).into()),
        }
    }
}
