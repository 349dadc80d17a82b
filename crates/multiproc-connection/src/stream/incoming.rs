//! The message that is being received.

use std::{
    io::{self, IoSliceMut},
    mem::{self, MaybeUninit},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use multiproc_sys::packet;
use rustix::{
    io::Errno,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, RecvMsg, ReturnFlags, recv, recvmsg,
    },
};

use super::{
    AHEAD, BEGUN, BETWEEN,
    ahead::Ahead,
    header::{self, Header},
};
use crate::{
    RecvError, TryRecvError, bounds::Bounds, buffers::Buffers, packet::wait_readable,
    patience::Patience, turn::Inherited,
};

/// How far memory is got ahead of the bytes that came, at most.
const MORE: u64 = 1 << 20;

/// The kernel attaches no more descriptors at once.
const ATTACHED: usize = 253;

/// The message that is being received: as much of it as came.
#[derive(Default)]
pub(super) struct Incoming {
    header: [u8; header::MOST],
    /// How many bytes of the header are there.
    have: usize,
    /// The message. Behind `filled` stand zeroes that await bytes.
    body: Vec<u8>,
    filled: usize,
    fds: Vec<OwnedFd>,
    /// Descriptors came for which this process had no room.
    no_room: bool,
    /// The message is whole.
    whole: bool,
    /// What came behind the message, if this end reads ahead.
    ahead: Option<Ahead>,
}

impl Incoming {
    /// What a forked child goes on with. What a thread or task of the parent is receiving is not its
    /// own.
    pub(super) fn inherit(inherited: Inherited<'_, Self>) -> Self {
        match inherited {
            // What the parent has read ahead it will receive itself.
            Inherited::Whole(incoming) if incoming.place() != AHEAD => mem::take(incoming),
            _ => Self::default(),
        }
    }

    /// Has this end take what has come from now on, not one message at a time.
    pub(super) fn read_ahead(&mut self) {
        self.ahead.get_or_insert_default();
    }

    /// Where this stands: `BEGUN` if a part of a message is here, `AHEAD` if what is here is behind one.
    pub(super) fn place(&self) -> u32 {
        match &self.ahead {
            _ if self.have != 0 && !self.whole => BEGUN,
            Some(ahead) if !ahead.is_empty() => AHEAD,
            _ => BETWEEN,
        }
    }

    /// Returns true if it is known that the socket has nothing more just now.
    #[cfg(feature = "tokio")]
    pub(super) fn is_drained(&self) -> bool {
        self.ahead.as_ref().is_some_and(Ahead::is_drained)
    }

    /// Reads the message to its end, and says so when its beginning is there.
    pub(super) fn recv(
        &mut self,
        socket: BorrowedFd<'_>,
        bounds: Bounds,
        patience: Patience,
        begun: impl Fn(),
    ) -> Result<(), TryRecvError> {
        if mem::take(&mut self.whole) {
            self.reset();
        }
        loop {
            let wanted = Header::wanted(&self.header, self.have);
            if wanted <= self.have {
                break;
            }
            if let Some(ahead) = &mut self.ahead
                && !ahead.is_empty()
            {
                self.have += ahead.take(&mut self.header[self.have..wanted]);
                continue;
            }
            let got = attempt(socket, patience, |flags| {
                // The first byte of a message is to be known of, not waited with for the next.
                let flags = flags.difference(RecvFlags::WAITALL);
                match &mut self.ahead {
                    Some(ahead) => ahead.fill(|room, fds| recv_attached(socket, room, fds, flags)),
                    None if bounds.handles => {
                        let header = &mut self.header[self.have..wanted];
                        let (got, lost) = recv_attached(socket, header, &mut self.fds, flags)?;
                        self.no_room |= lost;
                        Ok(got)
                    }
                    // Without room for descriptors the system closes those that come.
                    None => {
                        let header = &mut self.header[self.have..wanted];
                        recv(socket, header, flags).map(|(_, got)| got)
                    }
                }
            })?;
            match got {
                0 if self.have == 0 => return Err(RecvError::Closed.into()),
                0 => return Err(RecvError::Truncated.into()),
                _ if self.ahead.is_some() => {}
                _ => self.have += got,
            }
            begun();
        }
        let Header { length, handles } = Header::read(&self.header)?;
        if bounds.bytes < length {
            return Err(RecvError::TooLong { length, limit: bounds.bytes }.into());
        }
        if 0 < handles && !bounds.handles {
            return Err(RecvError::Malformed.into());
        }
        // What does not fit this machine's memory is refused where it would grow beyond.
        while (self.filled as u64) < length {
            self.make_room(length)?;
            if let Some(ahead) = &mut self.ahead {
                if !ahead.is_empty() {
                    self.filled += ahead.take(&mut self.body[self.filled..]);
                    continue;
                }
                ahead.is_passed_by();
            }
            let got = attempt(socket, patience, |flags| {
                recv(socket, &mut self.body[self.filled..], flags).map(|(_, got)| got)
            })?;
            if got == 0 {
                return Err(RecvError::Truncated.into());
            }
            self.filled += got;
        }
        let result = self.settle_handles(handles);
        if result.is_err() {
            // Now, not when the next message is received: descriptors may be what is short.
            self.fds.clear();
        }
        self.whole = !matches!(result, Err(RecvError::Malformed));
        Ok(result?)
    }

    /// Gives the whole message away, and takes the buffers' memory for the next.
    pub(super) fn hand_out(&mut self, buffers: &mut Buffers) {
        self.body.truncate(self.filled);
        mem::swap(&mut self.body, &mut buffers.bytes);
        mem::swap(&mut self.fds, &mut buffers.fds);
        self.whole = false;
        self.reset();
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.body.capacity()
    }

    fn reset(&mut self) {
        self.have = 0;
        self.filled = 0;
        self.body.clear();
        self.fds.clear();
        self.no_room = false;
    }

    /// Sees to it that there are zeroes behind what came: not all that the header promises, for it
    /// may lie, but what a peer has to pay for with bytes.
    fn make_room(&mut self, length: u64) -> Result<(), RecvError> {
        if self.filled < self.body.len() {
            return Ok(());
        }
        let more = (length - self.filled as u64).min(MORE) as usize;
        self.body
            .try_reserve(more)
            .map_err(|_| RecvError::Io(io::Error::from(io::ErrorKind::OutOfMemory)))?;
        self.body.resize(self.filled + more, 0);
        Ok(())
    }

    /// Checks that the descriptors are as many as the header says.
    fn settle_handles(&mut self, handles: u32) -> Result<(), RecvError> {
        let handles = handles as usize;
        if let Some(ahead) = &mut self.ahead
            && 0 < handles
        {
            // More than fit ride in a socket of their own.
            let count = if packet::DIRECT < handles { 1 } else { handles };
            self.no_room |= !ahead.take_fds(count, &mut self.fds);
        }
        if let Some(ahead) = &mut self.ahead {
            ahead.is_whole();
        }
        if self.no_room {
            return Err(RecvError::NoRoom);
        }
        if packet::DIRECT < handles
            && let [all] = &self.fds[..]
        {
            let mut fds = Vec::new();
            match packet::try_recv(all.as_fd(), &mut Vec::new(), &mut fds) {
                Ok(_) => self.fds = fds,
                Err(err) if err.raw_os_error() == Some(Errno::MFILE.raw_os_error()) => {
                    return Err(RecvError::NoRoom);
                }
                Err(_) => return Err(RecvError::Malformed),
            }
        }
        if handles == 0 {
            // Nobody asked for them.
            self.fds.clear();
        }
        if self.fds.len() == handles { Ok(()) } else { Err(RecvError::Malformed) }
    }
}

/// Reads bytes with the descriptors that come with them, and returns how many bytes came, and whether
/// descriptors were lost for want of room.
fn recv_attached(
    socket: BorrowedFd<'_>,
    to: &mut [u8],
    fds: &mut Vec<OwnedFd>,
    flags: RecvFlags,
) -> rustix::io::Result<(usize, bool)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(ATTACHED))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(to)];
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let RecvMsg { bytes, flags, .. } = recvmsg(socket, &mut slices, &mut control, flags)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(more) = message {
            fds.extend(more);
        }
    }
    Ok((bytes, flags.contains(ReturnFlags::CTRUNC)))
}

/// Reads until bytes came, the end was reached (0) or patience ended.
fn attempt(
    socket: BorrowedFd<'_>,
    patience: Patience,
    mut read: impl FnMut(RecvFlags) -> rustix::io::Result<usize>,
) -> Result<usize, TryRecvError> {
    let flags = match patience {
        // One call for a whole message, where nothing interrupts it.
        Patience::Endless => RecvFlags::WAITALL,
        _ => RecvFlags::DONTWAIT,
    };
    loop {
        match read(flags) {
            Ok(got) => return Ok(got),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                // Without a deadline: somebody who has a copy of this end made it non-blocking.
                if !wait_readable(socket, patience)? {
                    return Err(TryRecvError::Empty);
                }
            }
            // The peer left something of ours unread, or was killed: there is no more to come.
            Err(Errno::CONNRESET) => return Ok(0),
            Err(errno) => return Err(RecvError::Io(errno.into()).into()),
        }
    }
}
