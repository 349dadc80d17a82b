//! The event: a descriptor that is readable while there may be an item, for those who wait for several things at once.
//!
//! It costs system calls, so nothing is announced until somebody has asked for it by [`Ring::watch`].
//!
//! | who | does | so that |
//! |---|---|---|
//! | producer, under its lock | sets it, stores the header, sets it again | a kill in between leaves it set |
//! | consumer, under its lock | clears it only with the ring seen empty and the producers' lock free | what is under way stays announced |
//! | the same, right after | looks again, and sets it if there is an item or a producer | what came meanwhile is announced |
//!
//! It is thus never clear over an item, unless a producer *and* a consumer are killed within the same few instructions.
//! It may be set over nothing, which a look finds out.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use multiproc_sys::primitive::Ordering::{Relaxed, SeqCst};
use multiproc_wire::Handle;
use rustix::event::{EventfdFlags, eventfd};

use super::{
    Ring,
    layout::{OPEN, Position},
    world::{Atomic, World},
};

/// An eventfd.
#[derive(Debug)]
pub(super) struct Event(Handle);

impl Event {
    pub(super) fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self::from_handle(eventfd(0, flags)?.into()))
    }

    pub(super) fn from_handle(handle: Handle) -> Self {
        Self(handle)
    }

    pub(super) fn handle(&self) -> Handle {
        self.0.clone()
    }

    pub(super) fn announce(&self) {
        // Refused only where it is as full as can be, and then it is set.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    pub(super) fn clear(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl<W: World> Ring<W> {
    /// Has the event announce items from now on, and those that are there.
    pub(crate) fn watch(&self) {
        let fields = self.fields();
        if fields.state.watched.swap(1, SeqCst) == 1 {
            return;
        }
        // A producer that has not seen this holds its lock still, or its item is there.
        self.world.fence();
        if self.may_have_item() {
            self.world.announce();
        }
    }

    /// Clears the event if there is nothing to announce; with the lock of the consumers held.
    pub(super) fn settle_event(&self) {
        if self.may_have_item() {
            return;
        }
        self.world.clear();
        self.world.fence();
        if self.may_have_item() {
            self.world.announce();
        }
    }

    pub(super) fn announce_end(&self) {
        if self.fields().state.watched.load(SeqCst) != 0 {
            self.world.announce();
        }
    }

    fn may_have_item(&self) -> bool {
        let fields = self.fields();
        fields.put.side.is_owned()
            || self.is_there(Position(fields.tail.load(Relaxed)))
            || fields.state.shutdown.load(SeqCst) != OPEN
    }
}
