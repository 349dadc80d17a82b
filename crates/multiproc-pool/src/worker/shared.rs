//! The memory that a pool and one worker process share: the board, a ring each way, and who of them sleeps.
//!
//! README.md beside this file has the layout.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use multiproc_shm::{Segment, ShmError};
use multiproc_sys::{
    board::Board,
    futex,
    primitive::{
        AtomicU32, AtomicU64,
        Ordering::{Relaxed, SeqCst},
        fence,
    },
};
use multiproc_wire::Handle;

use super::ring::{Place, Reader, Writer};

/// What stands before the rings: the board first, then these words, each side's on lines of their own.
const FRONT: usize = 4096;
const ORDERS: Place = Place { tail: 256, head: 384, data: FRONT, capacity: 128 << 10 };
const RESULTS: Place =
    Place { tail: 640, head: 768, data: FRONT + ORDERS.capacity, capacity: 256 << 10 };
const SIZE: usize = RESULTS.data + RESULTS.capacity;
/// Whether the worker sleeps, and until when.
const ASLEEP: usize = 512;
const AWAKE: u32 = 0;
const UNTIL_ORDERS: u32 = 1;
const UNTIL_ROOM: u32 = 2;
/// How many results the worker has to have given for the pool to be woken.
const WAKE_AT: usize = 896;
/// The pool is awake.
const NEVER: u64 = u64::MAX;

/// A larger message goes through the link.
pub(super) const MESSAGE: usize = ORDERS.capacity / 2;
/// More bytes of results at once go through the link.
pub(super) const RUN: usize = RESULTS.capacity / 4;

/// The memory, seen from either side.
#[derive(Clone, Debug)]
pub(super) struct Shared(Segment);

impl Shared {
    /// Makes it.
    pub(super) fn new() -> Result<Self, ShmError> {
        let segment = Segment::sparse(SIZE)?;
        segment.reserve(0, FRONT)?;
        Ok(Self(segment))
    }

    /// Maps what another process has made.
    pub(super) fn open(handle: Handle) -> Result<Self, ShmError> {
        let segment = Segment::from_handle(handle)?;
        if segment.size() != SIZE {
            return Err(ShmError::Foreign {
                what: "other memory where that of a worker should be",
            });
        }
        Ok(Self(segment))
    }

    pub(super) fn handle(&self) -> Handle {
        self.0.handle()
    }

    /// The board in it.
    pub(super) fn board(&self) -> io::Result<Board> {
        Board::open(self.0.as_fd())
    }

    /// The pool's ends.
    pub(super) fn outside(&self) -> (Writer, Reader) {
        (Writer::new(self.0.clone(), ORDERS), Reader::new(self.0.clone(), RESULTS))
    }

    /// The worker's ends.
    pub(super) fn inside(&self) -> (Reader, Writer) {
        (Reader::new(self.0.clone(), ORDERS), Writer::new(self.0.clone(), RESULTS))
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        self.0.bytes().atomic_u64(at).expect("the front has room for the words")
    }

    fn asleep(&self) -> &AtomicU32 {
        self.0.bytes().atomic_u32(ASLEEP).expect("the front has room for the words")
    }

    /// For the pool: true if there are results to be read, or it looks as if.
    #[inline]
    pub(super) fn has_results(&self) -> bool {
        self.word(RESULTS.tail).load(Relaxed) != self.word(RESULTS.head).load(Relaxed)
    }

    /// For the pool: asks to be woken by result number `count`, of all that the worker has ever given.
    pub(super) fn call_at(&self, count: u64) {
        self.word(WAKE_AT).store(count, SeqCst);
    }

    /// For the pool: asks not to be woken.
    pub(super) fn call_never(&self) {
        self.word(WAKE_AT).store(NEVER, Relaxed);
    }

    /// For the worker, behind whatever it has published: true if the pool is to be woken, which asks once only.
    #[inline]
    pub(super) fn is_called(&self, count: u64) -> bool {
        fence(SeqCst);
        let at = self.word(WAKE_AT);
        at.load(Relaxed) <= count && at.swap(NEVER, SeqCst) != NEVER
    }

    /// For the worker: sleeps until there are orders, unless there are; may return early.
    pub(super) fn sleep_until_orders(&self, is_due: impl FnOnce() -> bool) {
        self.sleep(UNTIL_ORDERS, is_due);
    }

    /// For the worker: sleeps until something was read, unless it was; may return early.
    pub(super) fn sleep_until_room(&self, is_due: impl FnOnce() -> bool) {
        self.sleep(UNTIL_ROOM, is_due);
    }

    fn sleep(&self, what: u32, is_due: impl FnOnce() -> bool) {
        let asleep = self.asleep();
        asleep.store(what, SeqCst);
        fence(SeqCst);
        if !is_due() {
            let _ = futex::wait(asleep, what, None);
        }
        asleep.store(AWAKE, SeqCst);
    }

    /// For the pool, behind orders that it has published: wakes the worker if it sleeps until then.
    #[inline]
    pub(super) fn wake_for_orders(&self) {
        self.wake(UNTIL_ORDERS);
    }

    /// For the pool, when it has read something: wakes the worker if it sleeps until then.
    #[inline]
    pub(super) fn wake_for_room(&self) {
        self.wake(UNTIL_ROOM);
    }

    #[inline]
    fn wake(&self, what: u32) {
        fence(SeqCst);
        let asleep = self.asleep();
        if asleep.load(Relaxed) == what {
            asleep.store(AWAKE, SeqCst);
            futex::wake_one(asleep);
        }
    }
}

/// Wakes who sleeps at the other end of an event descriptor.
pub(super) fn ring(bell: &OwnedFd) {
    // It can only overflow, and then it has long been heard.
    let _ = rustix::io::write(bell, &1u64.to_ne_bytes());
}
