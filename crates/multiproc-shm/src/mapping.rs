//! A file of memory, mapped so that all see what each writes.

#![expect(unsafe_code, reason = "lends the mapping as bytes")]

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    ptr::NonNull,
};

use memmap2::{MmapOptions, MmapRaw};

use crate::SharedBytes;

/// A shared mapping of a whole file; a forked child has it too.
#[derive(Debug)]
pub(crate) struct Mapping {
    // Invariant: maps `size` bytes for reading and writing until it is dropped.
    memory: MmapRaw,
    size: usize,
}

impl Mapping {
    /// Maps the first `size` bytes of a file that is at least as long; `size` is not 0.
    pub(crate) fn new(file: &impl AsFd, size: usize) -> io::Result<Self> {
        let memory = MmapOptions::new().len(size).map_raw(file.as_fd().as_raw_fd())?;
        Ok(Self { memory, size })
    }

    pub(crate) fn bytes(&self) -> SharedBytes<'_> {
        let start = self.start();
        // SAFETY: By the invariant of `memory`, for as long as `self` is borrowed.
        unsafe { SharedBytes::new(start, self.size) }
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        NonNull::new(self.memory.as_mut_ptr()).expect("a mapping is not at address 0")
    }
}
