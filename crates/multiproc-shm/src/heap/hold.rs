//! What all handles of this process to one block share.

use std::{ptr::NonNull, sync::Arc};

use super::table;
use crate::{SharedBytes, mapping::Mapping};

/// A block that this process holds; the last handle to it lets it go.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) segment: Key,
    pub(super) offset: usize,
    pub(super) len: usize,
    // Invariant: the block lies within it, and it is mapped for as long as this lives.
    memory: Arc<Mapping>,
}

/// What tells a segment from every other that lives: the device and the number of its file.
pub(super) type Key = (u64, u64);

impl Hold {
    pub(super) fn new(segment: Key, offset: usize, len: usize, memory: Arc<Mapping>) -> Self {
        Self { segment, offset, len, memory }
    }

    #[inline]
    pub(super) fn bytes(&self) -> SharedBytes<'_> {
        let bytes = self.memory.bytes().slice(self.offset..self.offset + self.len);
        bytes.expect("a block lies within its segment")
    }

    #[inline]
    pub(super) fn start(&self) -> NonNull<u8> {
        self.bytes().as_ptr()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        table::release(self);
    }
}
