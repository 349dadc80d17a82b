//! The buffers of a thread, lent to one send or receive at a time.

use std::{cell::Cell, os::fd::OwnedFd};

use multiproc_sys::packet::InFile;
use multiproc_wire::Handle;

use crate::RecvError;

/// What is kept from one message to the next is at most this large.
const KEEP: usize = 1 << 20;

/// Room for one message under way.
#[derive(Default)]
pub(crate) struct Buffers {
    pub(crate) bytes: Vec<u8>,
    pub(crate) handles: Vec<Handle>,
    pub(crate) fds: Vec<OwnedFd>,
    /// The bytes of the message received, if they are not in `bytes`.
    pub(crate) file: Option<InFile>,
}

thread_local! {
    static IDLE: Cell<Option<Box<Buffers>>> = const { Cell::new(None) };
}

impl Buffers {
    /// Calls `f` with empty buffers, of which no other call knows.
    ///
    /// A send inside somebody's `Serialize` finds the thread's buffers lent and gets fresh ones, as
    /// does one while the thread ends.
    #[inline]
    pub(crate) fn lend<R>(f: impl FnOnce(&mut Self) -> R) -> R {
        let idle = IDLE.try_with(Cell::take).ok().flatten();
        let mut buffers = idle.unwrap_or_default();
        let result = f(&mut buffers);
        buffers.clear();
        // A thread past its locals lets go of them.
        let _ = IDLE.try_with(|idle| idle.set(Some(buffers)));
        result
    }

    /// Returns how long the message received is.
    pub(crate) fn length(&self) -> u64 {
        self.file.as_ref().map_or(self.bytes.len() as u64, InFile::length)
    }

    /// Returns the bytes of the message received, wherever they were.
    pub(crate) fn message(&mut self) -> Result<&[u8], RecvError> {
        if let Some(file) = self.file.take() {
            file.read(&mut self.bytes)?;
        }
        Ok(&self.bytes)
    }

    /// Takes the message out, copied once. The buffer stays, for the next.
    pub(crate) fn take_message(&mut self) -> Result<Vec<u8>, RecvError> {
        let Some(file) = self.file.take() else { return Ok(self.bytes.clone()) };
        let mut message = Vec::new();
        file.read(&mut message)?;
        Ok(message)
    }

    /// Copies the message to the front of `buffer` and returns its length, or none if it is longer.
    pub(crate) fn copy_message(&self, buffer: &mut [u8]) -> Result<Option<usize>, RecvError> {
        if let Some(file) = &self.file {
            return Ok(file.read_into(buffer)?.map(|front| front.len()));
        }
        Ok(buffer.get_mut(..self.bytes.len()).map(|front| {
            front.copy_from_slice(&self.bytes);
            front.len()
        }))
    }

    #[inline]
    fn clear(&mut self) {
        self.bytes.clear();
        // One huge message must not stay with us for ever.
        self.bytes.shrink_to(KEEP);
        // These close descriptors: now, not when the thread sends again.
        self.handles.clear();
        self.fds.clear();
        self.file = None;
    }
}
