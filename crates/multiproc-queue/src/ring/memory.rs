//! The memory behind the ring: reserved in steps before it is written to, given back when nothing needs it.
//!
//! Two numbers bracket what is there: all bytes below `reserved` have memory, none from `high` on has. Each is stored on
//! the safe side of the system call that it is about, so that a kill between the two is made good the next time.

use multiproc_shm::ShmError;
use multiproc_sys::primitive::Ordering::{Relaxed, SeqCst};

use super::{
    Refused, Ring,
    layout::{Position, SOFT},
    patience::Patience,
    world::{Atomic, World},
};

const PAGE: usize = 4096;
const LEAST_STEP: usize = 64 * 1024;
const MOST_STEP: usize = 4 << 20;

/// By how much a reservation grows beyond what is needed.
fn step(reserved: usize) -> usize {
    (reserved / 4).clamp(LEAST_STEP, MOST_STEP)
}

impl<W: World> Ring<W> {
    /// Sees to it that the bytes below `end` have memory; with the lock of the producers held.
    #[inline]
    pub(super) fn make_memory(&self, end: usize) -> Result<(), Refused> {
        if end as u64 <= self.fields().put.reserved.load(Relaxed) {
            return Ok(());
        }
        if self.world.capacity() < end {
            return Err(Refused::Damaged);
        }
        self.reserve(end).map_err(Refused::NoSpace)
    }

    #[cold]
    fn reserve(&self, end: usize) -> Result<(), ShmError> {
        let put = &self.fields().put;
        // What others have written is not believed: it only ever grows the range.
        let from = (put.reserved.load(Relaxed) as usize).min(end);
        let step = step(from);
        let ample = end.max(from + step).next_multiple_of(PAGE).min(self.world.capacity());
        let exact = end.next_multiple_of(PAGE).min(self.world.capacity());
        let high = put.high.load(Relaxed).max(ample as u64);
        put.high.store(high, SeqCst);
        let reserve = |upto: usize| {
            self.world.reserve(from, upto - from)?;
            put.reserved.store(upto as u64, SeqCst);
            Ok(())
        };
        reserve(ample).or_else(|_: ShmError| reserve(exact))
    }

    /// Gives back what lies above the soft limit, if no record lies there; with the lock of the producers held, at a
    /// moment when the ring goes round.
    pub(super) fn trim_behind(&self, head: Position) {
        let put = &self.fields().put;
        let soft = put.soft.load(Relaxed);
        if self.is_large() && (head.offset() as u64) < soft {
            // What has to be kept is the place of the mark, which is below.
            self.release_from(soft as usize, None);
            put.lap.store(soft, Relaxed);
        }
    }

    /// Gives back what lies above the soft limit, if the queue is empty: by who has taken the last record of many.
    #[inline(never)]
    pub(super) fn trim_if_drained(&self) {
        let fields = self.fields();
        // First a look at the next record, which is this side's business anyway.
        if !self.is_there(Position(fields.tail.load(Relaxed)))
            && self.is_large()
            && fields.head.load(Relaxed) == fields.tail.load(Relaxed)
        {
            self.trim(false);
        }
    }

    /// Gives memory back if the queue is empty; `all` but the least, or down to what the records of late need.
    pub(super) fn trim(&self, all: bool) {
        let fields = self.fields();
        let put = &fields.put;
        let Ok(held) = put.side.lock(&self.world, &fields.get.side, Patience::None) else { return };
        if held.died && self.recover().is_err() {
            return;
        }
        let head = Position(fields.head.load(SeqCst));
        if head.0 != fields.tail.load(SeqCst) || self.world.capacity() <= head.offset() {
            return;
        }
        if all {
            put.soft.store(SOFT.min(self.world.capacity()) as u64, Relaxed);
        }
        if self.is_large() {
            let soft = put.soft.load(Relaxed);
            self.release_from(soft as usize, Some(head.offset()));
            put.lap.store(soft, Relaxed);
        }
    }

    /// True if there is more memory than going round below the soft limit ever reserves.
    pub(super) fn is_large(&self) -> bool {
        let put = &self.fields().put;
        let soft = (put.soft.load(Relaxed) as usize).min(self.world.capacity());
        (soft + step(soft) + PAGE) < put.high.load(Relaxed) as usize
    }

    /// Gives back all memory from `start` on, except for the page of the slot that is looked at next.
    fn release_from(&self, start: usize, slot: Option<usize>) {
        let put = &self.fields().put;
        let start =
            start.min(self.world.capacity()).next_multiple_of(PAGE).min(self.world.capacity());
        put.reserved.store(put.reserved.load(Relaxed).min(start as u64), SeqCst);
        let kept = slot.filter(|slot| start <= *slot).map(|slot| slot / PAGE * PAGE);
        let kept = kept.unwrap_or(start)..kept.map_or(start, |page| page + PAGE);
        let below = self.world.release(start, kept.start - start);
        let above = self.world.capacity().saturating_sub(kept.end);
        let above = self.world.release(kept.end.min(self.world.capacity()), above);
        if below.and(above).is_ok() {
            put.high.store(start as u64, SeqCst);
        }
    }
}

#[cfg(test)]
impl Ring {
    /// How many bytes of memory the ring holds now.
    pub(crate) fn memory(&self) -> u64 {
        let stat = rustix::fs::fstat(&self.world.segment).expect("a segment has a status");
        u64::try_from(stat.st_blocks).unwrap_or(0) * 512
    }
}
