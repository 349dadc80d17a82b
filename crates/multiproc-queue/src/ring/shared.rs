//! The world of a process: a ring in memory that other processes have mapped, futexes, an event of the kernel.

#![expect(unsafe_code, reason = "lends words of the memory, which are atomics")]

use std::{num::NonZeroU32, ptr::NonNull};

use multiproc_shm::{Segment, SharedBytes, ShmError};
use multiproc_sys::primitive::{AtomicU32, AtomicU64, Ordering::SeqCst, fence};

use super::{
    Refused, alive, cpu,
    event::Event,
    futex::{self, Wake},
    layout::{DATA, Fields, WORD},
    moment::Moment,
    pending::{self, Pending},
    prefetch,
    world::{Access, Named, World},
};

/// The memory of a ring, as this process has it mapped, and its event.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) segment: Segment,
    // Invariant: the first page of `segment`, which lives as long as this; every field is atomic.
    fields: NonNull<Fields>,
    // Invariant: the bytes behind that page, `capacity` many, which live as long as this.
    data: NonNull<u8>,
    capacity: usize,
    pub(super) event: Event,
}

// SAFETY: `fields` and `data` are accessed by atomics and copies only, and `segment` keeps their memory.
unsafe impl Send for Shared {}
// SAFETY: As for `Send`.
unsafe impl Sync for Shared {}

impl Shared {
    /// # Panics
    ///
    /// Panics if the segment is shorter than the fields.
    pub(super) fn new(segment: Segment, event: Event) -> Self {
        let capacity = segment.size().checked_sub(DATA).expect("the size has been checked");
        let fields = segment.as_ptr().cast::<Fields>();
        // SAFETY: The segment is longer than that.
        let data = unsafe { segment.as_ptr().byte_add(DATA) };
        Self { segment, fields, data, capacity, event }
    }
}

impl World for Shared {
    type Word = AtomicU32;
    type Wide = AtomicU64;
    type Pending<'a> = Pending<'a>;

    #[inline]
    fn fields(&self) -> &Fields {
        // SAFETY: By the invariant of `fields`: a mapping of at least that size, page-aligned; all fields are atomics,
        // for which any bits are values.
        unsafe { self.fields.as_ref() }
    }

    #[inline]
    fn capacity(&self) -> usize {
        self.capacity
    }

    #[inline]
    fn word(&self, offset: usize) -> Result<&AtomicU64, Refused> {
        if self.capacity - WORD < offset || !offset.is_multiple_of(WORD) {
            return Err(Refused::Damaged);
        }
        // SAFETY: Within the mapping, by the check; aligned, for `data` is.
        let place = unsafe { self.data.byte_add(offset) };
        // SAFETY: As above; only accessed atomically, and the mapping lives as long as `self`.
        Ok(unsafe { AtomicU64::from_ptr(place.as_ptr().cast()) })
    }

    #[inline]
    fn bytes(&self, offset: usize, length: usize, _: Access) -> Result<SharedBytes<'_>, Refused> {
        if self.capacity < offset || self.capacity - offset < length {
            return Err(Refused::Damaged);
        }
        // SAFETY: Within the mapping, by the check.
        let place = unsafe { self.data.byte_add(offset) };
        // SAFETY: As above; this process accesses records by copies and atomics only, and the mapping lives as long as
        // `self`.
        Ok(unsafe { SharedBytes::new(place, length) })
    }

    #[inline]
    fn prefetch(&self, offset: usize) {
        prefetch::for_writing(self.data, offset);
    }

    fn reserve(&self, offset: usize, length: usize) -> Result<(), ShmError> {
        self.segment.reserve(DATA + offset, length)
    }

    fn release(&self, offset: usize, length: usize) -> Result<(), ShmError> {
        self.segment.release(DATA + offset, length)
    }

    fn announce(&self) {
        self.event.announce();
    }

    fn clear(&self) {
        self.event.clear();
    }

    #[inline]
    fn begin<'a>(&'a self, word: &'a AtomicU32) -> Pending<'a> {
        pending::begin(word)
    }

    fn wait(&self, word: &AtomicU32, expected: u32, kind: NonZeroU32, end: Moment) -> Wake {
        futex::wait(word, expected, kind, end)
    }

    fn wake(&self, word: &AtomicU32, count: u32, kind: NonZeroU32) {
        futex::wake(word, count, kind);
    }

    fn is_alive(&self, tid: u32) -> bool {
        alive::is_alive(tid)
    }

    #[inline]
    fn core(&self) -> u32 {
        cpu::current()
    }

    #[inline]
    fn relax(&self) -> bool {
        std::hint::spin_loop();
        true
    }

    fn give_way(&self) {
        std::thread::yield_now();
    }

    fn fence(&self) {
        fence(SeqCst);
    }
}

impl Named for Pending<'_> {
    #[inline]
    fn tid(&self) -> u32 {
        self.tid()
    }
}
