//! Marking items as done, and waiting until all are.
//!
//! An item is unfinished from the store of its header until [`Ring::finish`]. What is counted is what was put in all and
//! what was finished in all, so a kill between putting and counting leaves no item counted that is not there. Of a queue
//! whose items were thrown away all are done, those that a consumer still holds and those that come late included.

use multiproc_sys::primitive::Ordering::{Relaxed, SeqCst};

use super::{
    Refused, Ring,
    futex::{ANYBODY, Wake},
    layout::{Position, difference},
    lock::WAITERS,
    patience::Waiting,
    world::{Atomic, World},
};

/// The most items that are not marked as done. Less than can be counted, by what many producers may put between the look
/// and the put.
pub(crate) const MOST_UNFINISHED: u32 = (1 << 28) - (1 << 16);

impl<W: World> Ring<W> {
    /// True where one item more could be one too many to be counted.
    #[inline]
    pub(crate) fn is_overdue(&self) -> bool {
        self.is_counted && MOST_UNFINISHED <= self.unfinished()
    }

    /// How many items were put and not yet marked as done.
    pub(crate) fn unfinished(&self) -> u32 {
        if self.is_discarded() {
            return 0;
        }
        let fields = self.fields();
        let done = fields.tasks.done.load(SeqCst);
        let tail = Position(fields.tail.load(SeqCst)).count();
        let head = self.committed();
        // A record may have been taken already and its producer not have counted it yet.
        let put = if difference(tail, head) == 1 { tail } else { head };
        difference(put, done)
    }

    /// Marks one item as done; false if none is unfinished.
    pub(crate) fn finish(&self) -> bool {
        if self.is_discarded() {
            return true;
        }
        let tasks = &self.fields().tasks;
        let mut done = tasks.done.load(SeqCst);
        loop {
            if self.unfinished() == 0 {
                return self.is_discarded();
            }
            let next = difference(done.wrapping_add(1), 0);
            match tasks.done.compare_exchange(done, next, SeqCst, Relaxed) {
                Ok(_) => break,
                Err(other) => done = other,
            }
        }
        if self.unfinished() == 0 {
            self.ring_bell();
        }
        true
    }

    /// Wakes all who wait for the items.
    pub(super) fn ring_bell(&self) {
        let bell = &self.fields().tasks.bell;
        let _pending = self.world.begin(bell);
        if bell.swap(0, SeqCst) != 0 {
            self.world.wake(bell, u32::MAX >> 1, ANYBODY);
        }
    }

    /// Waits until every item has been marked as done.
    pub(crate) fn wait_until_finished(&self, waiting: &mut Waiting) -> Result<(), Refused> {
        let bell = &self.fields().tasks.bell;
        let mut slept = false;
        loop {
            let pending = self.world.begin(bell);
            bell.store(WAITERS, SeqCst);
            if self.unfinished() == 0 {
                drop(pending);
                if slept {
                    // The kernel wakes one only, where the one who rang was killed before he could wake all.
                    self.world.wake(bell, u32::MAX >> 1, ANYBODY);
                }
                return Ok(());
            }
            if waiting.patience.is_over() {
                return Err(Refused::TimedOut);
            }
            let patience = waiting.patience;
            let end = waiting.slices().end(patience);
            slept |= self.world.wait(bell, WAITERS, ANYBODY, end) == Wake::Woken;
            drop(pending);
            if waiting.slices().next() {
                return Err(Refused::Slice);
            }
        }
    }

    /// As if so many items had been put and never been marked.
    #[cfg(test)]
    pub(crate) fn forget_done(&self, count: u32) {
        self.fields().tasks.done.store(difference(0, count), SeqCst);
    }
}
