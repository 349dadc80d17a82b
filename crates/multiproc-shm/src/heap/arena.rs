//! Which bytes of one range are free: no memory, no locks, only numbers.

use std::collections::{BTreeMap, BTreeSet};

/// Every block begins at a multiple of this and takes up a multiple of it.
pub(super) const GRANULE: usize = 16;

/// The free pieces of a range, neighbours always merged.
#[derive(Debug)]
pub(super) struct Arena {
    // Invariant: the same pieces in both, none empty, none touching another.
    by_offset: BTreeMap<usize, usize>,
    by_size: BTreeSet<(usize, usize)>,
}

impl Arena {
    /// An arena of the bytes from `start` to `end`, all free.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let mut arena = Self { by_offset: BTreeMap::new(), by_size: BTreeSet::new() };
        arena.insert(start, end - start);
        arena
    }

    /// Takes `size` bytes, aligned to `align`, out of the smallest piece that has them, and tells where they begin.
    pub(super) fn allocate(&mut self, size: usize, align: usize) -> Option<usize> {
        let fits = |&&(piece, offset): &&(usize, usize)| {
            offset.next_multiple_of(align) - offset <= piece - size
        };
        let (piece, offset) = *self.by_size.range((size, 0)..).find(fits)?;
        let start = offset.next_multiple_of(align);
        self.remove(offset, piece);
        self.insert(offset, start - offset);
        self.insert(start + size, offset + piece - (start + size));
        Some(start)
    }

    /// Gives back what was allocated.
    pub(super) fn free(&mut self, mut offset: usize, mut size: usize) {
        if let Some((&before, &len)) = self.by_offset.range(..offset).next_back()
            && before + len == offset
        {
            self.remove(before, len);
            (offset, size) = (before, size + len);
        }
        if let Some(&len) = self.by_offset.get(&(offset + size)) {
            self.remove(offset + size, len);
            size += len;
        }
        self.insert(offset, size);
    }

    fn insert(&mut self, offset: usize, size: usize) {
        if 0 < size {
            self.by_offset.insert(offset, size);
            self.by_size.insert((size, offset));
        }
    }

    fn remove(&mut self, offset: usize, size: usize) {
        self.by_offset.remove(&offset);
        self.by_size.remove(&(size, offset));
    }
}
