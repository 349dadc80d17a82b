//! The message that is being sent.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd},
};

use multiproc_sys::{
    packet,
    primitive::{AtomicBool, Ordering},
};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg,
        sockopt::socket_domain,
    },
};

use super::header::{self, Header};
use crate::{SendError, TrySendError, packet::wait_writable, patience::Patience, turn::Inherited};

/// The sending side.
#[derive(Default)]
pub(super) struct Outgoing {
    /// A message broke off in its middle: whatever followed would be taken for its rest.
    broken: bool,
    /// This is the child of a fork, and a thread of the parent was sending.
    was_in_use: bool,
}

impl Outgoing {
    /// What a forked child goes on with.
    pub(super) fn inherit(inherited: Inherited<'_, Self>) -> Self {
        match inherited {
            Inherited::Whole(outgoing) => Self { ..*outgoing },
            Inherited::InUse => Self { broken: false, was_in_use: true },
        }
    }

    pub(super) fn send(
        &mut self,
        socket: BorrowedFd<'_>,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        patience: Patience,
        half_sent: &AtomicBool,
    ) -> Result<(), TrySendError> {
        if self.broken {
            return Err(SendError::Closed.into());
        }
        if self.was_in_use && half_sent.load(Ordering::Acquire) {
            // The parent may have sent the rest by now, or not: nobody here can tell.
            return Err(SendError::HalfSent.into());
        }
        if !fds.is_empty() && socket_domain(socket).map_err(io_error)? != AddressFamily::UNIX {
            return Err(SendError::HandlesRefused.into());
        }
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
        let mut rest = &mut slices[..];
        // What the socket takes at once. From before the first byte until after the last, whoever is
        // forked has to know of it; while this waits for room there is nothing to know.
        let mut sent = loop {
            half_sent.store(true, Ordering::Release);
            match write(socket, rest, attached, SendFlags::DONTWAIT) {
                Ok(sent) => break sent,
                Err(errno) => {
                    half_sent.store(false, Ordering::Release);
                    if errno != Errno::AGAIN {
                        return Err(SendError::from(io::Error::from(errno)).into());
                    }
                }
            }
            if !wait_writable(socket, patience)? {
                return Err(TrySendError::Full);
            }
        };
        IoSlice::advance_slices(&mut rest, sent);
        while sent < len + bytes.len() {
            let more = write_on(socket, rest).inspect_err(|_| self.broken = true)?;
            sent += more;
            IoSlice::advance_slices(&mut rest, more);
        }
        half_sent.store(false, Ordering::Release);
        Ok(())
    }
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

/// Writes more of a message that has begun, waiting as long as it takes.
fn write_on(socket: BorrowedFd<'_>, slices: &[IoSlice<'_>]) -> Result<usize, SendError> {
    loop {
        match write(socket, slices, &[], SendFlags::empty()) {
            Ok(sent) => return Ok(sent),
            // Somebody who has a copy of this end made it non-blocking.
            Err(Errno::AGAIN) => wait_writable(socket, Patience::Endless).map(drop)?,
            Err(errno) => return Err(io::Error::from(errno).into()),
        }
    }
}
