//! Where an object of this crate lives: a block of the shared heap, and the table of the processes that use it.

#![expect(unsafe_code, reason = "lends words of a block without looking up the block each time")]

use std::{alloc::Layout, ptr::NonNull};

use multiproc_shm::{Block, Table, TableError};
use multiproc_sys::primitive::{AtomicU32, AtomicU64};
use multiproc_wire::CommonHandle;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::{SyncError, protocol::lock::RawLock, thread};

/// What a place is used as, so that one is never taken for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Lock,
    RLock,
    Semaphore,
    BoundedSemaphore,
    Event,
    Condition,
    Barrier,
    Mutex,
}

/// A block of words that several processes use, each under its name in the table.
#[derive(Clone)]
pub(crate) struct Place {
    block: Block,
    // Invariant: where the bytes of `block` begin, of which there are at least `LEAST`; aligned to at least 8.
    start: NonNull<u8>,
    table: &'static Table,
    kind: Kind,
}

// SAFETY: The block may be used by all threads, and the pointer is only another way to it.
unsafe impl Send for Place {}
// SAFETY: As for `Send`; what is lent are atomics.
unsafe impl Sync for Place {}

/// Words are lent as 4 and as 8 bytes.
const ALIGN: usize = 8;
/// Blocks have no fewer bytes.
const LEAST: usize = 16;
/// Where the eight bytes of a lock's word stand, in a place that has one, and the four of its bell.
pub(crate) const LOCK: usize = 0;
const LOCK_BELL: usize = 8;
/// What a lock takes.
pub(crate) const LOCK_SIZE: usize = 12;

impl Place {
    /// Makes a place of `size` zero bytes, aligned to at least 8.
    pub(crate) fn new(kind: Kind, size: usize, align: usize) -> Result<Self, SyncError> {
        let layout = Layout::from_size_align(size.max(LEAST), align.max(ALIGN));
        let layout = layout.map_err(|_| SyncError::TooLarge { size })?;
        let table = Table::home()?;
        // While this is the main thread, if it is.
        table.me()?;
        Ok(Self::of(Block::new(layout)?, table, kind))
    }

    fn of(block: Block, table: &'static Table, kind: Kind) -> Self {
        Self { start: block.as_ptr(), block, table, kind }
    }

    #[inline]
    pub(crate) fn table(&self) -> &'static Table {
        self.table
    }

    /// The name of this process; it is never 0.
    #[inline]
    pub(crate) fn me(&self) -> Result<u32, TableError> {
        self.table.me()
    }

    /// The calling thread as a lock's word names it; 0 if the process has no name in the table yet.
    #[inline]
    pub(crate) fn holder_if_known(&self) -> u64 {
        match self.table.me_if_known() {
            0 => 0,
            me => thread::holder(me),
        }
    }

    /// The calling thread as a lock's word names it.
    #[cold]
    pub(crate) fn holder(&self) -> Result<u64, TableError> {
        Ok(thread::holder(self.me()?))
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.block.len()
    }

    /// The four bytes at `offset`, which has to be aligned and within.
    #[inline]
    pub(crate) fn word(&self, offset: usize) -> &AtomicU32 {
        let place = self.at(offset, size_of::<AtomicU32>());
        // SAFETY: Valid and aligned, by the check and the invariant of `start`, for as long as `block` is held; nobody
        // accesses these bytes but by atomics.
        unsafe { AtomicU32::from_ptr(place.cast()) }
    }

    /// The eight bytes at `offset`, which has to be aligned and within.
    #[inline]
    pub(crate) fn wide(&self, offset: usize) -> &AtomicU64 {
        let place = self.at(offset, size_of::<AtomicU64>());
        // SAFETY: As in `word`.
        unsafe { AtomicU64::from_ptr(place.cast()) }
    }

    #[inline]
    fn at(&self, offset: usize, size: usize) -> *mut u8 {
        // What every place has needs no look at the block.
        let fits = offset + size <= LEAST
            || self.len().checked_sub(size).is_some_and(|last| offset <= last);
        assert!(fits && offset.is_multiple_of(size), "a word within its block");
        self.start.as_ptr().wrapping_add(offset)
    }

    /// The lock at the beginning.
    #[inline]
    pub(crate) fn raw_lock(&self) -> RawLock<'_, Self> {
        RawLock { world: self, word: self.wide(LOCK), bell: self.word(LOCK_BELL) }
    }

    /// What stands behind the words.
    #[inline]
    pub(crate) fn rest(&self, offset: usize) -> NonNull<u8> {
        assert!(offset <= LEAST || offset <= self.len(), "a place within its block");
        // SAFETY: Within the block.
        unsafe { self.start.add(offset) }
    }

    /// True if this process has this one handle only.
    pub(crate) fn has_one_handle(&self) -> bool {
        self.block.handles_here() == 1
    }

    /// True if another process, or an unread message, has a handle.
    pub(crate) fn is_held_elsewhere(&self) -> bool {
        self.block.is_held_elsewhere()
    }

    /// An error unless this is of a kind and has `size` bytes, aligned to `align`: for a place that came from elsewhere.
    pub(crate) fn check<E: de::Error>(
        self,
        kind: Kind,
        size: usize,
        align: usize,
    ) -> Result<Self, E> {
        let aligned = self.start.as_ptr().addr().is_multiple_of(align.max(ALIGN));
        if self.kind != kind || self.len() < size.max(LEAST) || !aligned {
            return Err(E::custom(format_args!(
                "a {:?} of {} bytes arrived where a {kind:?} should be",
                self.kind,
                self.len()
            )));
        }
        Ok(self)
    }
}

/// A place in a message.
#[derive(Serialize, Deserialize)]
struct Sent<B> {
    block: B,
    table: CommonHandle,
    kind: Kind,
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let table = self.table.common_handle().map_err(ser::Error::custom)?;
        Sent { block: &self.block, table, kind: self.kind }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Sent::<Block> { block, table, kind } = Sent::deserialize(deserializer)?;
        let table = Table::attach(table.into_handle()).map_err(de::Error::custom)?;
        // While this is the main thread, if it is; where there is no entry, the first use says why.
        let _ = table.me();
        Ok(Self::of(block, table, kind))
    }
}
