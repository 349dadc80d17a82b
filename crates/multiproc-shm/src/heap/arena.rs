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

    /// The number of free bytes.
    pub(super) fn free_bytes(&self) -> usize {
        self.by_offset.values().sum()
    }

    #[cfg(test)]
    pub(super) fn pieces(&self) -> impl Iterator<Item = (usize, usize)> {
        self.by_offset.iter().map(|(offset, len)| (*offset, *len))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_are_aligned_apart_and_all_come_back(
            steps in prop::collection::vec((0usize..60, 0u32..9, any::<prop::sample::Index>()), 1..200),
        ) {
            let mut arena = Arena::new(64, 16 << 10);
            let mut taken: Vec<(usize, usize)> = Vec::new();
            for (granules, power, which) in steps {
                if granules == 0 {
                    if !taken.is_empty() {
                        let (offset, size) = taken.swap_remove(which.index(taken.len()));
                        arena.free(offset, size);
                    }
                } else if let Some(offset) = arena.allocate(granules * GRANULE, GRANULE << power) {
                    prop_assert_eq!(offset % (GRANULE << power), 0);
                    taken.push((offset, granules * GRANULE));
                } else {
                    let room = arena.pieces().any(|(start, len)| {
                        start.next_multiple_of(GRANULE << power) + granules * GRANULE <= start + len
                    });
                    prop_assert!(!room, "there was room");
                }
                let mut all: Vec<_> = arena.pieces().chain(taken.iter().copied()).collect();
                all.sort_unstable();
                prop_assert_eq!((all[0].0, all.iter().map(|piece| piece.1).sum::<usize>()), (64, (16 << 10) - 64));
                prop_assert!(all.windows(2).all(|pair| pair[0].0 + pair[0].1 == pair[1].0));
            }
            taken.into_iter().for_each(|(offset, size)| arena.free(offset, size));
            prop_assert_eq!(arena.pieces().collect::<Vec<_>>(), [(64, (16 << 10) - 64)]);
        }
    }
}
