//! Where things stand in a table.

use std::ptr::NonNull;

use multiproc_sys::{
    alive,
    primitive::{AtomicU32, AtomicU64, Ordering},
};

use super::name::{Claim, ENTRIES, GENERATION_BITS, Name};
use crate::Segment;

const HEADER: usize = 4096;
const ENTRY: usize = 128;
const ALIVE: usize = 64;
const _: () = assert!(ALIVE + alive::SIZE <= ENTRY && ALIVE.is_multiple_of(alive::ALIGN));

/// The size of a table.
pub(super) const SIZE: usize = HEADER + ENTRIES * ENTRY;

/// The first eight bytes of a table; the last figure is the version of the layout.
const MAGIC: u64 = u64::from_le_bytes(*b"mptable1");

/// A table's bytes, read as what they mean.
#[derive(Clone, Copy)]
pub(super) struct Layout<'a>(pub(super) &'a Segment);

impl<'a> Layout<'a> {
    fn u32(self, offset: usize) -> &'a AtomicU32 {
        self.0.bytes().atomic_u32(offset).expect("it lies within a segment of this size")
    }

    fn u64(self, offset: usize) -> &'a AtomicU64 {
        self.0.bytes().atomic_u64(offset).expect("it lies within a segment of this size")
    }

    /// Makes an empty segment a table of this pid namespace.
    pub(super) fn initialize(self, namespace: u64) {
        self.u64(16).store(namespace, Ordering::Relaxed);
        self.u64(0).store(MAGIC, Ordering::Release);
    }

    /// True if a segment that came from elsewhere is a table.
    pub(super) fn is_table(self) -> bool {
        self.0.size() == SIZE && self.u64(0).load(Ordering::Acquire) == MAGIC
    }

    /// How many entries have ever been taken.
    pub(super) fn high(self) -> &'a AtomicU32 {
        self.u32(8)
    }

    /// Not 0 once a process has been here that the kernel does not watch.
    pub(super) fn unwatched(self) -> &'a AtomicU32 {
        self.u32(12)
    }

    /// The pid namespace of its processes, or 0 where that is not known.
    pub(super) fn namespace(self) -> u64 {
        self.u64(16).load(Ordering::Relaxed)
    }

    pub(super) fn entry(self, number: usize) -> Entry<'a> {
        Entry { layout: self, start: HEADER + number % ENTRIES * ENTRY }
    }

    pub(super) fn entry_of(self, name: Name) -> Entry<'a> {
        self.entry(name.entry())
    }

    /// Where the bytes of an entry stand, for reserving them.
    pub(super) fn place(number: usize) -> (usize, usize) {
        (HEADER + number % ENTRIES * ENTRY, ENTRY)
    }
}

/// One entry.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    layout: Layout<'a>,
    start: usize,
}

impl<'a> Entry<'a> {
    pub(super) fn claim(self) -> &'a AtomicU64 {
        self.layout.u64(self.start)
    }

    pub(super) fn who(self) -> Claim {
        Claim(self.claim().load(Ordering::Acquire))
    }

    /// Where the alive word stands in the entry; 0 while there is none.
    pub(super) fn alive_at(self) -> &'a AtomicU32 {
        self.layout.u32(self.start + 8)
    }

    /// The alive word; none while the entry is not ready, or nobody watches its owner.
    pub(super) fn alive(self) -> Option<&'a AtomicU32> {
        let at = self.alive_at().load(Ordering::Acquire) as usize;
        // It was written by another process, so it is looked at before it is used.
        let within = ALIVE <= at && at <= ENTRY - size_of::<u32>() && at.is_multiple_of(4);
        within.then(|| self.layout.u32(self.start + at))
    }

    /// Writes where the alive word stands, by its distance from where the mutex begins.
    pub(super) fn set_alive(self, offset: usize) {
        self.alive_at().store((ALIVE + offset) as u32, Ordering::Release);
    }

    pub(super) fn thread(self) -> &'a AtomicU32 {
        self.layout.u32(self.start + 12)
    }

    /// Where the stack of the owner of this generation began; 0 if that is not known, or not known yet.
    pub(super) fn stack(self, generation: u32) -> u64 {
        let stack = self.layout.u64(self.start + 16).load(Ordering::Acquire);
        if Claim::is_of(stack, generation) { stack >> GENERATION_BITS } else { 0 }
    }

    pub(super) fn set_stack(self, stack: u64, generation: u32) {
        let stack = (stack << GENERATION_BITS) | u64::from(generation);
        self.layout.u64(self.start + 16).store(stack, Ordering::Release);
    }

    /// Where the mutex begins.
    pub(super) fn mutex(self) -> NonNull<u8> {
        let bytes = self.layout.0.bytes().slice(self.start + ALIVE..self.start + ENTRY);
        bytes.expect("it lies within a segment of this size").as_ptr()
    }
}
