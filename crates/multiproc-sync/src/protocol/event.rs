//! The event: a flag with the number of times that it was cleared, and a bell to sleep on.

use multiproc_sys::primitive::Ordering::{AcqRel, Acquire, Relaxed};

use super::{
    hint::{look_across, note_core},
    lock::Stop,
    patience::Patience,
    world::{Atomic, Attention, Sleep, World, pass_on, ring_all, waiters_of},
};

/// In an event's state: it is set. The bits above count how often it was cleared.
const SET: u32 = 1;

/// An event's words, and the world that they are in.
pub(crate) struct RawEvent<'a, W: World> {
    pub(crate) world: &'a W,
    pub(crate) state: &'a W::Word,
    pub(crate) bell: &'a W::Word,
    /// Where it was set last.
    pub(crate) core: &'a W::Word,
}

impl<W: World> RawEvent<'_, W> {
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.state.load(Acquire) & SET != 0
    }

    /// Sets the flag, and wakes all. Also where it is set already: who set it may have been killed before it woke anybody.
    #[inline]
    pub(crate) fn set(&self) {
        note_core(self.world, self.core);
        let _owed = self.world.owe(self.bell);
        self.state.fetch_or(SET, AcqRel);
        ring_all(self.world, self.bell);
    }

    /// Clears the flag.
    pub(crate) fn clear(&self) {
        let mut state = self.state.load(Relaxed);
        while state & SET != 0 {
            let cleared = state.wrapping_add(SET);
            match self.state.compare_exchange(state, cleared, AcqRel, Relaxed) {
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
    }

    /// Waits until the flag is set, or has been since this was called.
    #[cold]
    pub(crate) fn wait(&self, patience: &mut Patience) -> Result<(), Stop> {
        let before = self.state.load(Acquire);
        let is_over = || self.state.load(Acquire) != before;
        if before & SET != 0 || look_across(self.world, self.core, is_over) {
            return Ok(());
        }
        // From here on a wake-up may be on its way to us, and the one who sent it may be dead.
        let _owed = self.world.owe(self.bell);
        let (asleep, mut has_touched) = (waiters_of(u64::from(before >> 1)), false);
        loop {
            let state = self.state.load(Acquire);
            if state & SET != 0 || state != before {
                if has_touched {
                    pass_on(self.world, self.bell);
                }
                return Ok(());
            }
            has_touched = true;
            self.bell.swap(asleep, AcqRel);
            // A read-modify-write: who sets the flag either did so before, and is seen here, or sees the bell.
            if self.state.fetch_or(0, AcqRel) != before {
                continue;
            }
            match self.world.sleep(&[(self.bell, asleep)], None, &Attention::Bell, patience) {
                Sleep::Look if patience.is_endless() && self.world.is_abandoned() => {
                    return Err(Stop::Abandoned);
                }
                Sleep::Woken | Sleep::Beside | Sleep::Look => {}
                Sleep::Over => {
                    let state = self.state.load(Acquire);
                    return if state != before { Ok(()) } else { Err(Stop::Over) };
                }
            }
        }
    }
}
