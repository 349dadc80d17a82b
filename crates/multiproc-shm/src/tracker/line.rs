//! This process's way to the tracker: one end of a socket pair, kept as a number.
//!
//! A forked child has it too and finds it without a lock, whatever other threads were doing. Where a dead tracker is
//! replaced, the new line is put under the old number in one step, so that a thread which is just sending reaches the one
//! or the other, and never a descriptor that is nothing of ours.

#![expect(unsafe_code, reason = "a descriptor as a number")]

use std::{
    io,
    mem::ManuallyDrop,
    os::fd::{AsFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd},
};

use multiproc_sys::primitive::{AtomicI32, Ordering};
use multiproc_wire::Handle;

use super::client;

const NONE: RawFd = -1;

// Invariant: NONE or a descriptor that this module owns and never closes.
static OWN: AtomicI32 = AtomicI32::new(NONE);

/// The way to the tracker that knows a block.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    /// The one of this process.
    Own,
    /// Another one: the block came from a process that has a tracker of its own. Holding the line keeps that tracker
    /// from thinking that nobody needs the name any more.
    Foreign(Handle),
}

impl Line {
    /// A handle to be sent to another process; none if this process has let go of its tracker.
    pub(crate) fn to_handle(&self) -> io::Result<Option<Handle>> {
        match self {
            Self::Own => own().map(|line| Ok(line.try_clone_to_owned()?.into())).transpose(),
            Self::Foreign(handle) => Ok(Some(handle.clone())),
        }
    }

    /// What a line is in the process that has received it.
    pub(crate) fn received(handle: Handle) -> Self {
        let same = |own: BorrowedFd<'_>| {
            let identity = client::identity_of_line(own);
            identity.is_some() && identity == client::identity_of_line(handle.as_fd())
        };
        if own().is_some_and(same) {
            return Self::Own;
        }
        match adopt(handle) {
            Ok(()) => Self::Own,
            Err(handle) => Self::Foreign(handle),
        }
    }
}

/// The line of this process, if it has one.
pub(super) fn own() -> Option<BorrowedFd<'static>> {
    let fd = OWN.load(Ordering::Acquire);
    // SAFETY: By the invariant of `OWN`.
    (fd != NONE).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Makes `line` that of this process, which must not have one; otherwise hands it back.
fn adopt(line: Handle) -> Result<(), Handle> {
    if own().is_some() {
        return Err(line);
    }
    let Ok(fd) = line.as_fd().try_clone_to_owned() else { return Err(line) };
    let number = fd.into_raw_fd();
    match OWN.compare_exchange(NONE, number, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            client::share();
            Ok(())
        }
        Err(_) => {
            // SAFETY: It was made above, and nobody else has seen it.
            drop(unsafe { OwnedFd::from_raw_fd(number) });
            Err(line)
        }
    }
}

/// Makes `line` that of this process in place of a dead one.
pub(super) fn replace(line: OwnedFd) -> io::Result<()> {
    let number = OWN.load(Ordering::Acquire);
    if number == NONE {
        OWN.store(line.into_raw_fd(), Ordering::Release);
        return Ok(());
    }
    // SAFETY: By the invariant of `OWN` it is open and ours; it is not closed here, but put to another use.
    let mut place = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(number) });
    Ok(rustix::io::dup3(line, &mut place, rustix::io::DupFlags::CLOEXEC)?)
}

/// Takes the line away from this process, which then has none.
pub(super) fn take() -> Option<OwnedFd> {
    let number = OWN.swap(NONE, Ordering::AcqRel);
    // SAFETY: By the invariant of `OWN` it was ours, and is nobody's now. A thread that is just sending keeps the number a
    // moment longer: only `stop` comes here, which says so.
    (number != NONE).then(|| unsafe { OwnedFd::from_raw_fd(number) })
}
