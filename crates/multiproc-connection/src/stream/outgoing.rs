//! The message that is being sent.

use std::{
    io::{self, IoSlice},
    mem::{self, MaybeUninit},
    os::fd::{AsFd, BorrowedFd},
};

use multiproc_sys::{
    packet,
    primitive::{AtomicU32, Ordering},
};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg,
        sockopt::socket_domain,
    },
};

use super::{
    BETWEEN, KEPT, LOST, SENDING,
    header::{self, Header},
};
use crate::{SendError, TrySendError, packet::wait_writable, patience::Patience, turn::Inherited};

/// Where messages go: the socket, and the word that tells others where the sending side stands.
#[derive(Clone, Copy)]
pub(super) struct Wire<'a> {
    pub(super) socket: BorrowedFd<'a>,
    pub(super) place: &'a AtomicU32,
}

impl Wire<'_> {
    fn is_at(self, place: u32) {
        self.place.store(place, Ordering::Release);
    }
}

/// The sending side.
#[derive(Default)]
pub(super) struct Outgoing {
    /// A message broke off in its middle: whatever followed would be taken for its rest.
    broken: bool,
    /// This is the child of a fork, and has not looked yet whether half a message of the parent's is
    /// out.
    was_in_use: bool,
    /// What is still to be sent of a message whose sender did not wait, from `at` on. Whoever sends
    /// next sends this first.
    rest: Vec<u8>,
    at: usize,
    /// How many messages have left a rest so far.
    rests: u64,
}

impl Outgoing {
    /// What a forked child goes on with. The rest of a message is the parent's, or it would be sent
    /// twice.
    pub(super) fn inherit(inherited: Inherited<'_, Self>) -> Self {
        match inherited {
            Inherited::Whole(parents) | Inherited::Attended(parents) => Self {
                broken: parents.broken,
                was_in_use: parents.was_in_use || !parents.rest.is_empty(),
                ..Self::default()
            },
            Inherited::InUse => Self { was_in_use: true, ..Self::default() },
        }
    }

    /// Checks that no half message of the process that this one was forked from is out.
    pub(super) fn check_ours(&mut self, wire: Wire<'_>) -> Result<(), SendError> {
        if mem::take(&mut self.was_in_use) && wire.place.load(Ordering::Acquire) != BETWEEN {
            // The parent may have sent the rest by now, or not: nobody here can tell.
            wire.is_at(LOST);
        }
        match wire.place.load(Ordering::Acquire) {
            LOST => Err(SendError::HalfSent),
            _ => Ok(()),
        }
    }

    /// Sends a message. Once its first byte is out this waits for the last.
    pub(super) fn send(
        &mut self,
        wire: Wire<'_>,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        patience: Patience,
    ) -> Result<(), TrySendError> {
        self.send_with(wire, bytes, fds, patience, Patience::Endless)
    }

    /// Sends what the socket takes of a message. Where that is not all, the rest is kept, and its
    /// number returned; `Full` says that nothing was sent.
    #[cfg(feature = "tokio")]
    pub(super) fn begin(
        &mut self,
        wire: Wire<'_>,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> Result<Option<u64>, TrySendError> {
        self.send_with(wire, bytes, fds, Patience::None, Patience::None)?;
        Ok(self.has_rest().then_some(self.rests))
    }

    /// Sends what the socket takes of the rest with that number, unless another has sent it.
    #[cfg(feature = "tokio")]
    pub(super) fn go_on(&mut self, wire: Wire<'_>, number: u64) -> Result<(), TrySendError> {
        self.check_ours(wire)?;
        if self.rests == number && self.has_rest() {
            self.flush(wire, Patience::None)?;
        }
        Ok(())
    }

    #[cfg(feature = "tokio")]
    fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Sends a message. The first byte goes out with `patience`, or else none does; those that do
    /// not go out with the patience of `midway` are kept as the rest.
    fn send_with(
        &mut self,
        wire: Wire<'_>,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        patience: Patience,
        midway: Patience,
    ) -> Result<(), TrySendError> {
        self.check_ours(wire)?;
        self.flush(wire, patience)?;
        check_handles(wire.socket, fds)?;
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
        let sent = write_first(wire, left, attached, patience)?;
        IoSlice::advance_slices(&mut left, sent);
        while !left.is_empty() {
            match write_on(wire.socket, left, midway) {
                Ok(more) => IoSlice::advance_slices(&mut left, more),
                Err(TrySendError::Full) => {
                    left.iter().for_each(|slice| self.rest.extend_from_slice(slice));
                    self.rests += 1;
                    wire.is_at(KEPT);
                    return Ok(());
                }
                Err(err) => {
                    self.broken = true;
                    return Err(err);
                }
            }
        }
        wire.is_at(BETWEEN);
        Ok(())
    }

    /// Sends what is left of the last message.
    fn flush(&mut self, wire: Wire<'_>, patience: Patience) -> Result<(), TrySendError> {
        if self.broken {
            return Err(SendError::Closed.into());
        }
        if self.rest.is_empty() {
            return Ok(());
        }
        while self.at < self.rest.len() {
            match write_on(wire.socket, &[IoSlice::new(&self.rest[self.at..])], patience) {
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
        wire.is_at(BETWEEN);
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
    flags: SendFlags,
) -> rustix::io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(packet::DIRECT))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::TOOMANYREFS);
    }
    loop {
        match sendmsg(socket, slices, &mut control, flags | SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Writes the beginning of a message, as much as the socket takes at once.
///
/// From before the first byte until after the last, whoever is forked has to know of it; while this
/// waits for room there is nothing to know.
fn write_first(
    wire: Wire<'_>,
    slices: &[IoSlice<'_>],
    fds: &[BorrowedFd<'_>],
    patience: Patience,
) -> Result<usize, TrySendError> {
    loop {
        wire.is_at(SENDING);
        match write(wire.socket, slices, fds, SendFlags::DONTWAIT) {
            Ok(sent) => return Ok(sent),
            Err(errno) => {
                wire.is_at(BETWEEN);
                if errno != Errno::AGAIN {
                    return Err(SendError::from(io::Error::from(errno)).into());
                }
            }
        }
        if !wait_writable(wire.socket, patience)? {
            return Err(TrySendError::Full);
        }
    }
}

/// Writes more of a message that has begun.
fn write_on(
    socket: BorrowedFd<'_>,
    slices: &[IoSlice<'_>],
    patience: Patience,
) -> Result<usize, TrySendError> {
    let flags = match patience {
        Patience::Endless => SendFlags::empty(),
        _ => SendFlags::DONTWAIT,
    };
    loop {
        match write(socket, slices, &[], flags) {
            Ok(sent) => return Ok(sent),
            // Without a deadline: somebody who has a copy of this end made it non-blocking.
            Err(Errno::AGAIN) => {
                if !wait_writable(socket, patience)? {
                    return Err(TrySendError::Full);
                }
            }
            Err(errno) => return Err(SendError::from(io::Error::from(errno)).into()),
        }
    }
}
