//! The ring: records of any size in shared memory, put and taken by any number of processes, none of which a kill can
//! hold up. The protocol is told in the README beside this file.

#![expect(unsafe_code, reason = "lends the fields in the first page of the memory")]

mod moment;
mod patience;
mod futex;
mod alive;
mod pending;
mod lock;
mod layout;
mod cpu;
mod prefetch;
mod refused;
mod world;
mod shared;
mod memory;
mod packets;
mod event;
mod put;
mod get;
mod run;
mod state;
mod tasks;
#[cfg(test)]
mod tests;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use multiproc_shm::{Segment, ShmError};
use multiproc_sys::primitive::Ordering::{Relaxed, SeqCst};
use multiproc_wire::Handle;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use layout::{DATA, Fields, MAGIC, MARGIN, SOFT, WORD};

use crate::codec::Landing;
pub(crate) use get::Taken;
pub(crate) use packets::Inbox;
pub(crate) use patience::{Patience, Waiting};
pub(crate) use put::Record;
pub(crate) use refused::Refused;
pub(crate) use run::Run;
use shared::Shared;
pub(crate) use tasks::MOST_UNFINISHED;
use world::{Atomic, World};

/// Address ranges to try, from the best: a limit may forbid the larger ones.
const CAPACITIES: [usize; 4] = [1 << 30, 1 << 27, 1 << 24, 1 << 20];

/// A ring, in a world.
#[derive(Debug)]
pub(crate) struct Ring<W = Shared> {
    world: W,
    /// The most items at a time.
    bound: u32,
    is_counted: bool,
}

impl Ring {
    /// Makes a ring for at most `bound` items, 0 being no limit.
    ///
    /// # Errors
    ///
    /// What the system says where there is no memory, address range or descriptor.
    pub(crate) fn new(bound: usize) -> Result<Self, ShmError> {
        let mut smaller = CAPACITIES.into_iter();
        let segment = loop {
            match (Segment::sparse(DATA + smaller.next().unwrap_or(SOFT)), smaller.len()) {
                (Ok(segment), _) => break segment,
                (Err(err), 0) => return Err(err),
                (Err(_), _) => {}
            }
        };
        Self::in_segment(segment, bound)
    }

    /// The same ring, before anybody else has it, as one whose items are marked as done.
    pub(crate) fn counted(mut self) -> Self {
        self.fields().fixed.counted.store(1, SeqCst);
        self.is_counted = true;
        self
    }

    fn in_segment(segment: Segment, bound: usize) -> Result<Self, ShmError> {
        segment.reserve(0, DATA)?;
        let bytes = segment.bytes();
        // SAFETY: Memory that nobody else has yet, of the size of the fields, page-aligned and zeroed.
        let fields = unsafe { bytes.as_ptr().cast::<Fields>().as_ref() };
        fields.initialize(segment.size() - DATA, bound);
        fields.fixed.namespace.store(namespace(), Relaxed);
        fields.fixed.magic.store(MAGIC, SeqCst);
        let event = event::Event::new().map_err(os("make the event of a queue"))?;
        Self::attach(segment, event)
    }

    /// Checks what came from outside before anything relies on it.
    fn attach(segment: Segment, event: event::Event) -> Result<Self, ShmError> {
        let foreign = |what| Err(ShmError::Foreign { what });
        if segment.size() < DATA + 4 * MARGIN {
            return foreign("a segment too small for a queue");
        }
        // SAFETY: A mapping of at least that size, page-aligned; all fields are atomics, for which any bits are values.
        let fields = unsafe { segment.bytes().as_ptr().cast::<Fields>().as_ref() };
        let capacity = segment.size() - DATA;
        if fields.fixed.magic.load(SeqCst) != MAGIC
            || fields.fixed.capacity.load(Relaxed) != capacity as u64
            || !capacity.is_multiple_of(WORD)
        {
            return foreign("a segment that is no queue");
        }
        let theirs = fields.fixed.namespace.load(Relaxed);
        let ours = namespace();
        if theirs != ours && theirs != 0 && ours != 0 {
            return foreign(
                "a queue of another pid namespace, whose processes cannot be told from ours: \
                 use a connection between containers",
            );
        }
        Ok(Self::of(Shared::new(segment, event)))
    }

    /// Two numbers that tell this ring from every other.
    pub(crate) fn identity(&self) -> (u64, u64) {
        self.world.segment.identity()
    }
}

impl<W: World> Ring<W> {
    fn of(world: W) -> Self {
        let bound = match world.fields().fixed.bound.load(Relaxed) {
            0 => u32::MAX,
            bound => u32::try_from(bound).unwrap_or(u32::MAX),
        };
        let is_counted = world.fields().fixed.counted.load(Relaxed) != 0;
        Self { world, bound, is_counted }
    }

    #[inline]
    fn fields(&self) -> &Fields<W::Word, W::Wide> {
        self.world.fields()
    }

    /// The longest payload of a record, in bytes: one that always fits an empty ring.
    pub(crate) fn longest(&self) -> usize {
        (self.world.capacity() / 2 - MARGIN).min(u32::MAX as usize - 1)
    }

    /// The most items at a time; none if there is no limit.
    pub(crate) fn bound(&self) -> Option<u32> {
        (self.bound != u32::MAX).then_some(self.bound)
    }
}

fn os(what: &'static str) -> impl FnOnce(std::io::Error) -> ShmError {
    move |source| ShmError::Os { what: what.into(), source }
}

/// The pid namespace of this process as a number; 0 where it cannot be seen.
fn namespace() -> u64 {
    rustix::fs::stat("/proc/self/ns/pid").map_or(0, |stat| stat.st_ino)
}

/// What a ring is made of, in a message.
#[derive(Serialize, Deserialize)]
struct Parts {
    segment: Segment,
    event: Handle,
}

impl Serialize for Ring {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.world.event.handle();
        Parts { segment: self.world.segment.clone(), event }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Ring {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = Parts::deserialize(deserializer)?;
        Self::attach(parts.segment, event::Event::from_handle(parts.event))
            .map_err(de::Error::custom)
    }
}

impl AsFd for Ring {
    /// The event, which is readable while there may be an item; see [`watch`](Self::watch).
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.world.event.as_fd()
    }
}

/// Descriptors that came with a record.
pub(crate) type Descriptors = Vec<OwnedFd>;
