//! All segments of the heap that this process has, and the lock over them.

use std::{
    alloc::Layout,
    collections::BTreeMap,
    io, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use multiproc_image::after_fork::ForkLocal;
use multiproc_wire::{CommonHandle, Handle};

use super::{
    MAX_ALIGN,
    arena::GRANULE,
    attachment::{Attachment, Claim, span},
    error::HeapError,
    fork,
    hold::{Hold, Key},
    pool::{Kind, Pool},
    usage::Usage,
};
use crate::ShmError;

/// The heap of this process. It is leaked, because the child of a fork goes on with the copy.
pub(super) static HEAP: ForkLocal<&'static Mutex<Heap>> =
    ForkLocal::new(|_| Box::leak(Box::default()));

#[derive(Debug, Default)]
pub(super) struct Heap {
    pub(super) segments: BTreeMap<Key, Attachment>,
    pools: [Pool; Kind::POOLED.len()],
}

pub(super) fn lock() -> MutexGuard<'static, Heap> {
    // What is done under the lock does not panic half-way; a test's assertion may.
    HEAP.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Allocates a block of zero bytes.
pub(super) fn allocate(layout: Layout) -> Result<Arc<Hold>, HeapError> {
    let align = layout.align().max(GRANULE);
    if MAX_ALIGN < align {
        return Err(HeapError::Align { align });
    }
    fork::watch();
    let hold = lock().allocate(layout.size(), align)?;
    // Nobody else has it yet.
    hold.bytes().fill(0);
    Ok(hold)
}

/// Holds the block that a message has brought.
pub(super) fn adopt(file: &Handle, claim: Claim) -> Result<Arc<Hold>, HeapError> {
    fork::watch();
    let stat = rustix::fs::fstat(file);
    let stat = stat.map_err(|errno| ShmError::os("look at a segment of the heap")(errno.into()))?;
    let key = (stat.st_dev, stat.st_ino);
    let mut heap = lock();
    if let Some(attachment) = heap.segments.get_mut(&key) {
        return attachment.adopt(key, claim, file);
    }
    let mut attachment = Attachment::attach(file)?;
    let hold = attachment.adopt(key, claim, file)?;
    heap.segments.insert(key, attachment);
    Ok(hold)
}

/// Makes the message being written hold the block, and tells what is to be said in it.
pub(super) fn lend(hold: &Hold) -> io::Result<(CommonHandle, Claim)> {
    let mut heap = lock();
    let attachment = heap.segments.get_mut(&hold.segment).ok_or(io::ErrorKind::NotFound)?;
    let (handle, is_doubtful) = attachment.lend(hold)?;
    Ok((handle, Claim { offset: hold.offset, len: hold.len, is_doubtful }))
}

/// Returns true unless it is certain that nobody else holds the block.
pub(super) fn is_held_elsewhere(hold: &Hold) -> bool {
    lock().segments.get(&hold.segment).is_none_or(|attachment| attachment.is_held_elsewhere(hold))
}

/// Lets a block go whose last handle in this process is being dropped.
pub(super) fn release(hold: &Hold) {
    let dropped = lock().release(hold);
    // Unmapped without the lock.
    drop(dropped);
}

/// How many blocks may be lent out before it is looked whether they are still held.
const LOOK_AFTER: usize = 64;

/// Tells what there is, after taking back what others hold no longer.
pub(super) fn usage() -> Usage {
    let mut heap = lock();
    Kind::POOLED.into_iter().for_each(|kind| {
        heap.reclaim(kind);
    });
    heap.usage()
}

impl Heap {
    pub(super) fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        self.segments.values().for_each(|attachment| attachment.count(&mut usage));
        usage
    }

    pub(super) fn allocate(&mut self, len: usize, align: usize) -> Result<Arc<Hold>, HeapError> {
        let kind = Kind::of(len);
        if let Some(hold) = self.allocate_in(kind, len, align) {
            return Ok(hold);
        }
        if self.reclaim(kind)
            && let Some(hold) = self.allocate_in(kind, len, align)
        {
            return Ok(hold);
        }
        let invalid = || ShmError::InvalidSize { size: len };
        let count = self.pool(kind).map_or(0, |pool| pool.segments.len());
        let sizes = len.checked_next_multiple_of(GRANULE).and_then(|_| {
            kind.sizes(span(len), align, count).filter(|(most, _)| isize::try_from(*most).is_ok())
        });
        let (size, least) = sizes.ok_or_else(invalid)?;
        let (key, mut attachment) = match Attachment::make(size, kind) {
            // Then one that is just large enough.
            Err(err) if err.is_exhausted() && least < size => Attachment::make(least, kind)?,
            made => made?,
        };
        let hold = attachment.allocate(key, len, align);
        self.retire(kind);
        self.segments.insert(key, attachment);
        if let Some(pool) = self.pool(kind) {
            pool.segments.push(key);
        }
        Ok(hold.expect("a segment is made large enough for the block"))
    }

    /// Gives back the segments in which nobody here holds anything, and which have no room for what is wanted.
    fn retire(&mut self, kind: Kind) {
        let keys = self.pool(kind).map_or_else(Vec::new, |pool| mem::take(&mut pool.segments));
        let (idle, busy): (Vec<Key>, Vec<Key>) = keys
            .into_iter()
            .partition(|key| self.segments.get(key).is_none_or(Attachment::is_idle));
        idle.iter().for_each(|key| drop(self.segments.remove(key)));
        if let Some(pool) = self.pool(kind) {
            pool.segments = busy;
        }
    }

    /// The segments of a kind, unless each is for one block.
    fn pool(&mut self, kind: Kind) -> Option<&mut Pool> {
        let place = Kind::POOLED.iter().position(|pooled| *pooled == kind)?;
        Some(&mut self.pools[place])
    }

    /// Allocates in the oldest segment that has room, so that the newer ones become empty.
    fn allocate_in(&mut self, kind: Kind, len: usize, align: usize) -> Option<Arc<Hold>> {
        let place = Kind::POOLED.iter().position(|pooled| *pooled == kind)?;
        let mut keys = self.pools[place].segments.iter();
        keys.find_map(|key| self.segments.get_mut(key)?.allocate(*key, len, align))
    }

    /// Frees what was lent and is held by nobody any more; tells whether there was anything lent.
    fn reclaim(&mut self, kind: Kind) -> bool {
        let keys = self.pool(kind).map_or_else(Vec::new, |pool| pool.segments.clone());
        let (mut before, mut after) = (0, 0);
        for key in keys {
            if let Some(attachment) = self.segments.get_mut(&key) {
                before += attachment.lent();
                attachment.reclaim();
                after += attachment.lent();
            }
        }
        if let Some(pool) = self.pool(kind) {
            pool.lent = after;
            pool.patience = LOOK_AFTER + 2 * after;
        }
        0 < before
    }

    /// In the child of a fork: what the parent has made is from now on something received, and new blocks go elsewhere.
    pub(super) fn inherit(&mut self) {
        // Freeing it would write to pages that are the parent's too until somebody does.
        mem::forget(mem::take(&mut self.pools));
        for attachment in self.segments.values_mut() {
            attachment.inherit();
        }
        self.segments.retain(|_, attachment| !attachment.is_idle());
    }

    /// Lets a block go, and returns the segment where that is not needed any more.
    pub(super) fn release(&mut self, hold: &Hold) -> Option<Attachment> {
        let attachment = self.segments.get_mut(&hold.segment)?;
        attachment.release(hold);
        let is_lent = attachment.is_lent(hold);
        let Some(kind) = attachment.kind() else {
            return if attachment.is_idle() { self.segments.remove(&hold.segment) } else { None };
        };
        if !attachment.is_idle() {
            if is_lent && let Some(pool) = self.pool(kind) {
                pool.lent += 1;
                if pool.patience < pool.lent {
                    self.reclaim(kind);
                }
            }
            return None;
        }
        // What others hold in it is theirs: the system frees it with the last of them.
        let Some(pool) = self.pool(kind) else { return self.segments.remove(&hold.segment) };
        // The newest is kept, so that a single block made and dropped over and over does not make a segment each time.
        if pool.segments.last() == Some(&hold.segment) {
            return None;
        }
        pool.segments.retain(|key| *key != hold.segment);
        self.segments.remove(&hold.segment)
    }
}
