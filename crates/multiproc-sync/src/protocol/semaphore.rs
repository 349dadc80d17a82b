//! The semaphore: a number of permits, and a bell to sleep on.

use multiproc_sys::primitive::Ordering::{AcqRel, Acquire, Relaxed};

use super::{
    lock::Stop,
    patience::Patience,
    world::{Atomic, Attention, Sleep, WAITERS, World, ring_one},
};

/// A semaphore's words, and the world that they are in.
pub(crate) struct RawSemaphore<'a, W: World> {
    pub(crate) world: &'a W,
    /// The number of permits.
    pub(crate) permits: &'a W::Word,
    pub(crate) bell: &'a W::Word,
}

impl<W: World> RawSemaphore<'_, W> {
    /// Takes a permit if there is one.
    #[inline]
    pub(crate) fn try_take(&self) -> bool {
        let mut permits = self.permits.load(Relaxed);
        while 0 < permits {
            match self.permits.compare_exchange(permits, permits - 1, AcqRel, Relaxed) {
                Ok(_) => return true,
                Err(now) => permits = now,
            }
        }
        false
    }

    /// Waits for a permit, and takes it.
    #[cold]
    pub(crate) fn take(&self, patience: &mut Patience) -> Result<(), Stop> {
        // From here on a wake-up may be on its way to us. Killed, we would swallow it.
        let _owed = self.world.owe(self.bell);
        let mut has_touched = false;
        loop {
            if has_touched {
                // One who has slept does not know whether others still do: the next permit has to ring.
                self.bell.swap(WAITERS, AcqRel);
            }
            if self.try_take() {
                if has_touched && 0 < self.permits.load(Relaxed) {
                    // Two permits in a row may have woken us alone; or somebody looked before they were given, and is
                    // about to fall asleep on a bell that says again what it did then.
                    ring_one(self.world, self.bell);
                }
                return Ok(());
            }
            has_touched = true;
            self.bell.swap(WAITERS, AcqRel);
            // A read-modify-write: a permit given either comes before it, and is seen here, or after it, and rings.
            if self.permits.fetch_or(0, AcqRel) != 0 {
                continue;
            }
            match self.world.sleep(&[(self.bell, WAITERS)], None, &Attention::Bell, patience) {
                Sleep::Look if patience.is_endless() && self.world.is_abandoned() => {
                    return Err(Stop::Abandoned);
                }
                Sleep::Woken | Sleep::Beside | Sleep::Look => {}
                Sleep::Over => return if self.try_take() { Ok(()) } else { Err(Stop::Over) },
            }
        }
    }

    /// Gives a permit; false if there are `most` already.
    #[inline]
    pub(crate) fn give(&self, most: u32) -> bool {
        let _owed = self.world.owe(self.bell);
        let mut permits = self.permits.load(Relaxed);
        loop {
            if most <= permits {
                return false;
            }
            match self.permits.compare_exchange(permits, permits + 1, AcqRel, Relaxed) {
                Ok(_) => break,
                Err(now) => permits = now,
            }
        }
        ring_one(self.world, self.bell);
        true
    }

    /// How many permits there are.
    pub(crate) fn value(&self) -> u32 {
        self.permits.load(Acquire)
    }
}
