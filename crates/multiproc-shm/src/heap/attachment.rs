//! One segment of the heap, as this process has it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io, mem,
    ops::Range,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr,
    sync::{Arc, Weak},
};

use multiproc_sys::ofd;
use multiproc_wire::{CommonHandle, Handle};

use super::{
    arena::{Arena, GRANULE},
    error::HeapError,
    hold::{Hold, Key},
    pool::Kind,
    usage::Usage,
};
use crate::{Segment, ShmError, mapping::Mapping};

/// What stands at the beginning of a segment of the heap; the rest of the first 64 bytes is not used.
const MAGIC: u64 = u64::from_le_bytes(*b"mpheap01");
pub(super) const HEADER: usize = 64;

/// A segment that this process has made or received.
#[derive(Debug)]
pub(super) struct Attachment {
    // Invariant: an open file description of this process alone, of which no mapping is made; unless `is_common`.
    file: OwnedFd,
    memory: Arc<Mapping>,
    /// What this process holds, and, in a segment of its own, what others still hold, by offset.
    blocks: BTreeMap<usize, Entry>,
    /// How many of `blocks` have handles here.
    held: usize,
    /// Where this process made the segment: what is free in it.
    own: Option<Own>,
    /// True if the description of `file` is also somebody else's. Then nothing is ever let go on it, and no block that
    /// was shared is used again.
    is_common: bool,
    /// A description for the child of the fork that is under way.
    twin: Option<OwnedFd>,
}

/// What the maker of a segment knows of it.
#[derive(Debug)]
struct Own {
    kind: Kind,
    arena: Arena,
    /// The blocks that nobody here holds any more, and somebody elsewhere did when it was last looked at.
    lent: BTreeSet<usize>,
}

#[derive(Debug)]
struct Entry {
    len: usize,
    /// True if another process may hold it.
    is_shared: bool,
    /// True if somebody may hold it of whom the ledger does not tell.
    is_doubtful: bool,
    hold: Weak<Hold>,
    /// Where there are no locks: the description that the block came with, which holds it.
    brought: Option<Handle>,
}

/// What a message says of a block, beside the descriptor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) offset: usize,
    pub(super) len: usize,
    pub(super) is_doubtful: bool,
}

/// How many bytes of its segment a block of `len` bytes takes up.
pub(super) fn span(len: usize) -> usize {
    len.max(1).next_multiple_of(GRANULE)
}

fn range(offset: usize, len: usize) -> Range<u64> {
    offset as u64..(offset + span(len)) as u64
}

/// The kinds of descriptors that a message has of a segment: one that was made for it, and holds its blocks; the one that a
/// block has come with; the one that this process itself has.
const HELD: &str = "heap: held";
const BROUGHT: &str = "heap: brought";
const COMMON: &str = "heap: common";

/// How many ranges a fork takes over one by one. Beyond that neighbours are taken over with what lies between them, for
/// the kernel goes through all of them for each.
const RANGES: usize = 128;

/// The same ranges, or fewer that cover them.
fn cover(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    if ranges.len() <= RANGES {
        return ranges;
    }
    let together = ranges.len().div_ceil(RANGES);
    ranges.chunks(together).map(|chunk| chunk[0].start..chunk[chunk.len() - 1].end).collect()
}

/// Opens the file anew, where that can be done here.
fn reopen(file: BorrowedFd<'_>) -> Result<Option<OwnedFd>, HeapError> {
    match ofd::reopen(file) {
        Ok(fresh) => Ok(Some(fresh)),
        Err(err) if err.kind() == io::ErrorKind::Unsupported => Ok(None),
        Err(err) => Err(ShmError::os("open a segment of the heap")(err).into()),
    }
}

impl Attachment {
    /// Makes a segment of `size` bytes to allocate in.
    pub(super) fn make(size: usize, kind: Kind) -> Result<(Key, Self), HeapError> {
        let segment = Segment::new(size)?;
        segment.bytes().set(0, &MAGIC).map_err(ShmError::from)?;
        let key = segment.identity();
        let own = Own { kind, arena: Arena::new(HEADER, size), lent: BTreeSet::new() };
        // The mapping keeps the description that it was made of, so that one must not be the one with the locks.
        let fresh = reopen(segment.as_fd())?;
        Ok((key, Self::with(segment, fresh, Some(own))?))
    }

    /// Attaches to the segment that somebody else has made.
    pub(super) fn attach(file: &Handle) -> Result<Self, HeapError> {
        // Neither what is mapped nor what will hold blocks may be the description that came, which has locks.
        let (to_map, fresh) = (reopen(file.as_fd())?, reopen(file.as_fd())?);
        let segment = Segment::from_handle(to_map.map_or_else(|| file.clone(), Handle::from))?;
        let bytes = segment.bytes();
        if bytes.len() < HEADER || bytes.get::<u64>(0).map_err(ShmError::from)? != MAGIC {
            return Err(HeapError::foreign("a segment that is not one of the heap"));
        }
        Self::with(segment, fresh, None)
    }

    fn with(segment: Segment, fresh: Option<OwnedFd>, own: Option<Own>) -> Result<Self, HeapError> {
        let is_common = fresh.is_none();
        let (same, memory) = segment.into_parts();
        let file = fresh.map_or_else(|| same.into_owned(), Ok);
        let file = file.map_err(ShmError::os("duplicate the descriptor of a segment"))?;
        Ok(Self { file, memory, blocks: BTreeMap::new(), held: 0, own, is_common, twin: None })
    }

    /// Takes a block out of a segment of our own, if it has room.
    pub(super) fn allocate(&mut self, key: Key, len: usize, align: usize) -> Option<Arc<Hold>> {
        let offset = self.own.as_mut()?.arena.allocate(span(len), align)?;
        Some(self.enter(key, Claim { offset, len, is_doubtful: false }, false, None))
    }

    /// Holds a block that a message has brought.
    pub(super) fn adopt(
        &mut self,
        key: Key,
        claim: Claim,
        file: &Handle,
    ) -> Result<Arc<Hold>, HeapError> {
        let Claim { offset, len, is_doubtful } = claim;
        if let Some(entry) = self.blocks.get_mut(&offset) {
            if entry.len != len {
                return Err(HeapError::foreign(
                    "a block whose size is not that of the block there",
                ));
            }
            entry.is_doubtful |= is_doubtful;
            if let Some(hold) = entry.hold.upgrade() {
                return Ok(hold);
            }
        } else {
            self.check(claim)?;
        }
        let brought = match ofd::hold(self.file.as_fd(), range(offset, len)) {
            Ok(()) => None,
            Err(err) if err.kind() == io::ErrorKind::Unsupported => Some(file.clone()),
            Err(err) => return Err(ShmError::os("hold a block of the heap")(err).into()),
        };
        Ok(self.enter(key, claim, true, brought))
    }

    /// An error unless the block can be one that this process does not know yet.
    fn check(&self, Claim { offset, len, .. }: Claim) -> Result<(), HeapError> {
        let size = self.memory.bytes().len();
        let end = len.max(1).checked_next_multiple_of(GRANULE);
        let end = end.and_then(|span| offset.checked_add(span)).filter(|end| *end <= size);
        let (Some(end), true) = (end, HEADER <= offset && offset.is_multiple_of(GRANULE)) else {
            return Err(HeapError::foreign("a block that does not lie within its segment"));
        };
        let before = self.blocks.range(..offset).next_back();
        let overlaps = before.is_some_and(|(before, entry)| offset < before + span(entry.len))
            || self.blocks.range(offset..end).next().is_some();
        // What was allocated here and is free again is held by nobody.
        if overlaps || self.own.is_some() {
            return Err(HeapError::foreign("a block that is not there"));
        }
        Ok(())
    }

    fn enter(
        &mut self,
        key: Key,
        claim: Claim,
        is_shared: bool,
        brought: Option<Handle>,
    ) -> Arc<Hold> {
        let Claim { offset, len, is_doubtful } = claim;
        let hold = Arc::new(Hold::new(key, offset, len, Arc::clone(&self.memory)));
        let entry = Entry { len, is_shared, is_doubtful, hold: Arc::downgrade(&hold), brought };
        // One that is there already was lent, or its last handle is being dropped at this moment.
        let was_lent = self.own.as_mut().is_some_and(|own| own.lent.remove(&offset));
        if self.blocks.insert(offset, entry).is_none() || was_lent {
            self.held += 1;
        }
        hold
    }

    /// Makes the message being written hold the block, by a descriptor for all blocks of this segment in it; tells whether
    /// there may be holders of whom the ledger does not know.
    pub(super) fn lend(&mut self, hold: &Hold) -> io::Result<(CommonHandle, bool)> {
        let whole = range(hold.offset, hold.len);
        let entry = self.blocks.get_mut(&hold.offset).ok_or(io::ErrorKind::NotFound)?;
        let key = |what| (what, hold.segment.0, hold.segment.1);
        if let Some(brought) = entry.brought.clone() {
            let (offset, inode) = (hold.offset as u64, hold.segment.1);
            return Ok((CommonHandle::of_message((BROUGHT, inode, offset), || Ok(brought))?, true));
        }
        let file = self.file.as_fd();
        let hold_here = if entry.is_shared { Ok(()) } else { ofd::hold(file, whole.clone()) };
        let result = hold_here.and_then(|()| {
            entry.is_shared = true;
            let common =
                CommonHandle::of_message(key(HELD), || ofd::reopen(file).map(Handle::from))?;
            ofd::hold(common.as_fd(), whole)?;
            Ok(common)
        });
        match result {
            Ok(common) => Ok((common, entry.is_doubtful || self.is_common)),
            Err(err) if err.kind() == io::ErrorKind::Unsupported => {
                entry.is_shared = true;
                self.is_common = true;
                let common = CommonHandle::of_message(key(COMMON), || {
                    self.file.try_clone().map(Handle::from)
                });
                Ok((common?, true))
            }
            Err(err) => Err(err),
        }
    }

    /// Returns true unless it is certain that nobody else holds the block.
    pub(super) fn is_held_elsewhere(&self, hold: &Hold) -> bool {
        let Some(entry) = self.blocks.get(&hold.offset) else { return true };
        if !entry.is_shared {
            return false;
        }
        entry.is_doubtful || self.is_common || entry.brought.is_some() || {
            let found = ofd::held_elsewhere(self.file.as_fd(), range(hold.offset, hold.len));
            !matches!(found, Ok(None))
        }
    }

    /// Lets a block go whose last handle here is being dropped.
    pub(super) fn release(&mut self, hold: &Hold) {
        match self.blocks.get(&hold.offset) {
            // Otherwise it has come home meanwhile, and has other handles.
            Some(entry) if ptr::eq(entry.hold.as_ptr(), hold) => {}
            _ => return,
        }
        self.held -= 1;
        let is_shared = self.blocks[&hold.offset].is_shared;
        // Where nobody else holds a block of ours, nobody can ask for our lock on it either, so it may stay where it is:
        // to cut a hole into a range costs the more the more holes there are.
        let is_lent = self.own.is_some() && is_shared && self.is_held_elsewhere(hold);
        if is_shared && !self.is_common && (is_lent || self.own.is_none()) {
            // Where that fails it stays held as long as this process lives: a leak, no damage.
            let _ = ofd::let_go(self.file.as_fd(), range(hold.offset, hold.len));
        }
        match &mut self.own {
            Some(own) if is_lent => {
                own.lent.insert(hold.offset);
            }
            Some(own) => {
                own.arena.free(hold.offset, span(hold.len));
                self.blocks.remove(&hold.offset);
            }
            None => {
                self.blocks.remove(&hold.offset);
            }
        }
    }

    /// Frees what was lent and is held by nobody any more.
    pub(super) fn reclaim(&mut self) {
        let Some(own) = &mut self.own else { return };
        if self.is_common {
            return;
        }
        let mut ranges = vec![(0, usize::MAX)];
        while let Some((start, end)) = ranges.pop() {
            let lent: Vec<usize> = own.lent.range(start..end).copied().collect();
            let (Some(&first), Some(&last)) = (lent.first(), lent.last()) else { continue };
            let after = last + span(self.blocks[&last].len);
            // One look at all of them; where somebody holds a part, what lies before and behind it is looked at again.
            match ofd::held_elsewhere(self.file.as_fd(), first as u64..after as u64) {
                Ok(Some(held)) => {
                    let held_from = usize::try_from(held.start).unwrap_or(usize::MAX);
                    let held_to = usize::try_from(held.end).unwrap_or(usize::MAX);
                    let before = lent.partition_point(|offset| {
                        offset + span(self.blocks[offset].len) <= held_from
                    });
                    let behind = lent.partition_point(|offset| *offset < held_to);
                    if 0 < before {
                        ranges.push((first, lent[before - 1] + 1));
                    }
                    if let Some(&next) = lent.get(behind) {
                        ranges.push((next, end));
                    }
                }
                Ok(None) => {
                    for offset in lent {
                        own.lent.remove(&offset);
                        if let Some(entry) = self.blocks.remove(&offset) {
                            own.arena.free(offset, span(entry.len));
                        }
                    }
                }
                Err(_) => return,
            }
        }
    }

    /// Makes a description for a child that is about to be forked, which holds what this process holds.
    pub(super) fn make_twin(&mut self) {
        let ranges = self.share_all();
        self.twin = ofd::reopen(self.file.as_fd()).ok().filter(|twin| {
            ranges.iter().all(|range| ofd::hold(twin.as_fd(), range.clone()).is_ok())
        });
        // Then both will have the one there is.
        self.is_common |= self.twin.is_none();
    }

    /// Marks all that has handles here as shared, and returns where it lies.
    fn share_all(&mut self) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        let mut has_private = false;
        for (offset, entry) in &mut self.blocks {
            if self.own.as_ref().is_some_and(|own| own.lent.contains(offset)) {
                continue;
            }
            has_private |= !entry.is_shared;
            entry.is_shared = true;
            let next = range(*offset, entry.len);
            match ranges.last_mut() {
                Some(last) if last.end == next.start => last.end = next.end,
                _ => ranges.push(next),
            }
        }
        let ranges = cover(ranges);
        if has_private {
            // Where it fails, others may believe that nobody holds it here.
            let held =
                ranges.iter().all(|range| ofd::hold(self.file.as_fd(), range.clone()).is_ok());
            self.is_common |= !held;
        }
        ranges
    }

    /// In the parent after a fork: the child has its description by now, if there is one.
    pub(super) fn drop_twin(&mut self) {
        self.twin = None;
    }

    /// In the child of a fork: goes on with the description that was made for it, as one who has received the segment.
    pub(super) fn inherit(&mut self) {
        if let Some(twin) = self.twin.take() {
            self.file = twin;
        }
        if let Some(own) = self.own.take() {
            for offset in &own.lent {
                self.blocks.remove(offset);
            }
            // Its memory is the parent's too as long as nobody writes to it, as freeing would.
            mem::forget(own);
        }
    }

    /// Returns true if this process has no handle to any block in it.
    pub(super) fn is_idle(&self) -> bool {
        self.held == 0
    }

    /// Adds what there is here.
    pub(super) fn count(&self, usage: &mut Usage) {
        usage.held += self.held;
        let Some(own) = &self.own else {
            usage.received += 1;
            return;
        };
        usage.segments += 1;
        usage.bytes += self.memory.bytes().len();
        usage.free += own.arena.free_bytes();
        usage.lent += own.lent.len();
    }

    /// What kind of blocks it is for, if it is ours.
    pub(super) fn kind(&self) -> Option<Kind> {
        self.own.as_ref().map(|own| own.kind)
    }

    /// Returns true if others may still hold the block, and nobody here.
    pub(super) fn is_lent(&self, hold: &Hold) -> bool {
        self.own.as_ref().is_some_and(|own| own.lent.contains(&hold.offset))
    }

    /// How many blocks are lent: others hold them, and nobody here.
    pub(super) fn lent(&self) -> usize {
        self.own.as_ref().map_or(0, |own| own.lent.len())
    }

    /// Every piece of a segment of ours: where it begins, how long it is, whether it is free.
    #[cfg(test)]
    pub(super) fn pieces(&self) -> Vec<(usize, usize, bool)> {
        let Some(own) = &self.own else { return Vec::new() };
        let taken = self.blocks.iter().map(|(offset, entry)| (*offset, span(entry.len), false));
        let free = own.arena.pieces().map(|(offset, len)| (offset, len, true));
        let mut pieces: Vec<_> = taken.chain(free).collect();
        pieces.sort_unstable();
        pieces
    }
}
