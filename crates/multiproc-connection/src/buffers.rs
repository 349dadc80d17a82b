//! The buffers of a thread, lent to one send or receive at a time.

use std::{cell::Cell, os::fd::OwnedFd};

use multiproc_wire::Handle;

/// What is kept from one message to the next is at most this large.
const KEEP: usize = 1 << 20;

/// Room for one message under way.
#[derive(Default)]
pub(crate) struct Buffers {
    pub(crate) bytes: Vec<u8>,
    pub(crate) handles: Vec<Handle>,
    pub(crate) fds: Vec<OwnedFd>,
}

thread_local! {
    static IDLE: Cell<Option<Box<Buffers>>> = const { Cell::new(None) };
}

impl Buffers {
    /// Calls `f` with empty buffers, of which no other call knows.
    ///
    /// A send inside somebody's `Serialize` finds the thread's buffers lent and gets fresh ones, as
    /// does one while the thread ends.
    pub(crate) fn lend<R>(f: impl FnOnce(&mut Self) -> R) -> R {
        let idle = IDLE.try_with(Cell::take).ok().flatten();
        let mut buffers = idle.unwrap_or_default();
        let result = f(&mut buffers);
        buffers.clear();
        // A thread past its locals lets go of them.
        let _ = IDLE.try_with(|idle| idle.set(Some(buffers)));
        result
    }

    fn clear(&mut self) {
        self.bytes.clear();
        // One huge message must not stay with us for ever.
        self.bytes.shrink_to(KEEP);
        // These close descriptors: now, not when the thread sends again.
        self.handles.clear();
        self.fds.clear();
    }
}
