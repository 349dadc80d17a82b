//! The barrier: a pass, a slot for each party that names who has arrived for which pass, and a bell to sleep on.

use multiproc_sys::primitive::Ordering::{AcqRel, Acquire, Relaxed};

use super::{
    patience::Patience,
    world::{Atomic, Attention, Life, Sleep, World, pass_on, ring_all, waiters_of},
};

/// A barrier's words, and the world that they are in.
pub(crate) struct RawBarrier<'a, W: World, S> {
    pub(crate) world: &'a W,
    pub(crate) state: &'a W::Wide,
    pub(crate) bell: &'a W::Word,
    /// The slot of a number below `parties`.
    pub(crate) slot: S,
    pub(crate) parties: u32,
}

/// How a wait did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Broken,
    Abandoned,
}

const PASS_BITS: u32 = 31;
const PASS: u64 = (1 << PASS_BITS) - 1;
/// Of the two bits above the pass: parties arrive.
const OPEN: u64 = 0;
/// A wait took too long, somebody gave up, or the action failed.
const BROKEN: u64 = 1;
/// A party died while it waited.
const ABANDONED: u64 = 2;
const PHASE: u64 = 3;
const SINCE_SHIFT: u32 = PASS_BITS + 2;
/// As many passes as are counted.
const LONG_AGO: u64 = u64::MAX >> SINCE_SHIFT;

/// The state: which pass this is, whether it is broken, and how many passes ended well since one was reset.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State(u64);

impl State {
    fn pass(self) -> u64 {
        self.0 & PASS
    }

    fn phase(self) -> u64 {
        self.0 >> PASS_BITS & PHASE
    }

    fn in_phase(self, phase: u64) -> Self {
        Self(self.0 & !(PHASE << PASS_BITS) | phase << PASS_BITS)
    }

    /// How many passes ended well since one was reset.
    fn since(self) -> u64 {
        self.0 >> SINCE_SHIFT
    }

    /// The state of the next pass; `since` is counted up to that.
    fn next(self, since: u64) -> Self {
        Self((self.pass() + 1) & PASS | OPEN << PASS_BITS | since.min(LONG_AGO) << SINCE_SHIFT)
    }

    /// Whether the pass that a waiter came for has ended, and how.
    fn outcome(self, pass: u64) -> Option<Result<(), Fault>> {
        if self.pass() != pass {
            let later = self.pass().wrapping_sub(pass) & PASS;
            // Of several passes that have ended meanwhile, one was reset: if it was not this, it is not known any more.
            return Some(if self.since() < later { Err(Fault::Broken) } else { Ok(()) });
        }
        match self.phase() {
            OPEN => None,
            ABANDONED => Some(Err(Fault::Abandoned)),
            _ => Some(Err(Fault::Broken)),
        }
    }
}

/// How often to look around after a wake-up that came without a reason.
const ALERT: u32 = 8;

/// What a barrier's state is at first; the slots are 0.
pub(crate) const FIRST: u64 = 1 | LONG_AGO << SINCE_SHIFT;

impl<'a, W: World, S: Fn(u32) -> &'a W::Wide> RawBarrier<'a, W, S>
where
    W::Wide: 'a,
{
    fn state(&self) -> State {
        State(self.state.load(Acquire))
    }

    fn change(&self, from: State, to: State) -> Result<(), State> {
        self.state.compare_exchange(from.0, to.0, AcqRel, Acquire).map(|_| ()).map_err(State)
    }

    /// Waits for all parties, and returns which of them this was. The last to arrive runs `action`, before any is let go.
    ///
    /// An unwinding action leaves the barrier broken.
    pub(crate) fn wait(
        &self,
        me: u32,
        patience: &mut Patience,
        action: impl FnOnce(),
    ) -> Result<u32, Fault> {
        // Killed from here on, we owe the others the news; in the action, too.
        let _owed = self.world.owe(self.bell);
        let (index, before) = self.arrive(me, patience)?;
        if index + 1 < self.parties {
            self.wait_for_pass(before, patience)?;
            return Ok(index);
        }
        if self.has_dead_party(before) {
            // Without this one the pass has not ended well, whoever has ended it.
            return self.give_up(before, ABANDONED).and(Err(Fault::Broken));
        }
        let broken = Breaks { barrier: self, before };
        action();
        std::mem::forget(broken);
        match self.change(before, before.next(before.since() + 1)) {
            Ok(()) => {
                ring_all(self.world, self.bell);
                Ok(index)
            }
            Err(now) => match now.outcome(before.pass()) {
                Some(Err(fault)) => Err(fault),
                _ => Err(Fault::Broken),
            },
        }
    }

    /// Takes a slot; the pass that it belongs to is that of the returned state.
    fn arrive(&self, me: u32, patience: &mut Patience) -> Result<(u32, State), Fault> {
        loop {
            let before = self.state();
            if let Some(Err(fault)) = before.outcome(before.pass()) {
                return Err(fault);
            }
            let ours = (before.pass() << 32) | u64::from(me);
            let mut index = 0;
            while index < self.parties {
                let slot = (self.slot)(index);
                let held = slot.load(Acquire);
                if held >> 32 == before.pass() {
                    index += 1;
                } else if slot.compare_exchange(held, ours, AcqRel, Relaxed).is_ok() {
                    return Ok((index, before));
                }
            }
            // All have arrived, and the last of them is in its action: this is the pass after.
            self.sleep_in(before, &Attention::Bell, patience)?;
            pass_on(self.world, self.bell);
        }
    }

    fn wait_for_pass(&self, before: State, patience: &mut Patience) -> Result<(), Fault> {
        let (mut has_touched, mut alert) = (false, 0u32);
        loop {
            if let Some(outcome) = self.state().outcome(before.pass()) {
                if has_touched {
                    pass_on(self.world, self.bell);
                }
                return outcome;
            }
            if self.has_dead_party(before) {
                // Unless the pass has ended meanwhile, after which one may die.
                return self.give_up(before, ABANDONED);
            }
            // After a wake-up without a reason somebody is being killed, and may not be seen to be dead yet.
            let attention = if 0 < alert { Attention::Often } else { Attention::Bell };
            alert = alert.saturating_sub(1);
            has_touched = true;
            if self.sleep_in(before, &attention, patience)? == Sleep::Woken {
                alert = ALERT;
            }
        }
    }

    /// Sleeps while the barrier is as it was.
    fn sleep_in(
        &self,
        before: State,
        attention: &Attention<'_, W::Word>,
        patience: &mut Patience,
    ) -> Result<Sleep, Fault> {
        let asleep = waiters_of(before.pass());
        self.bell.swap(asleep, AcqRel);
        // A read-modify-write: who ends the pass either did so before, and is seen here, or sees the bell.
        if self.state.fetch_or(0, AcqRel) != before.0 {
            return Ok(Sleep::Look);
        }
        match self.world.sleep(&[(self.bell, asleep)], None, attention, patience) {
            Sleep::Over => self.give_up(before, BROKEN).map(|()| Sleep::Look),
            Sleep::Look if patience.is_endless() && self.world.is_abandoned() => {
                self.give_up(before, ABANDONED).map(|()| Sleep::Look)
            }
            sleep => Ok(sleep),
        }
    }

    /// True if one that has arrived for this pass is dead.
    fn has_dead_party(&self, before: State) -> bool {
        (0..self.parties).any(|index| {
            let held = (self.slot)(index).load(Acquire);
            held >> 32 == before.pass() && matches!(self.world.life(held as u32), Life::Dead)
        })
    }

    /// Breaks the barrier, unless this pass has ended meanwhile; then the way it ended is returned.
    fn give_up(&self, before: State, phase: u64) -> Result<(), Fault> {
        let _owed = self.world.owe(self.bell);
        let broken = self.change(before, before.in_phase(phase));
        ring_all(self.world, self.bell);
        match broken {
            Ok(()) if phase == ABANDONED => Err(Fault::Abandoned),
            Ok(()) => Err(Fault::Broken),
            Err(now) => now.outcome(before.pass()).unwrap_or(Err(Fault::Broken)),
        }
    }

    /// Breaks the barrier.
    pub(crate) fn abort(&self) {
        let mut now = self.state();
        let _owed = self.world.owe(self.bell);
        while now.phase() == OPEN {
            match self.change(now, now.in_phase(BROKEN)) {
                Ok(()) => break,
                Err(other) => now = other,
            }
        }
        ring_all(self.world, self.bell);
    }

    /// Makes the barrier as new; those who wait are told that it broke.
    pub(crate) fn reset(&self) {
        let mut now = self.state();
        let _owed = self.world.owe(self.bell);
        while now.phase() != OPEN || self.arrived(now) != 0 {
            match self.change(now, now.next(0)) {
                Ok(()) => break,
                Err(other) => now = other,
            }
        }
        ring_all(self.world, self.bell);
    }

    fn arrived(&self, state: State) -> u32 {
        let of_this_pass = |index: &u32| (self.slot)(*index).load(Acquire) >> 32 == state.pass();
        (0..self.parties).filter(of_this_pass).count() as u32
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> u32 {
        let now = self.state();
        if now.phase() == OPEN { self.arrived(now) } else { 0 }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.state().phase() != OPEN
    }
}

/// Breaks the barrier when an action unwinds.
struct Breaks<'b, 'a, W: World, S: Fn(u32) -> &'a W::Wide>
where
    W::Wide: 'a,
{
    barrier: &'b RawBarrier<'a, W, S>,
    before: State,
}

impl<'a, W: World, S: Fn(u32) -> &'a W::Wide> Drop for Breaks<'_, 'a, W, S>
where
    W::Wide: 'a,
{
    fn drop(&mut self) {
        let _ = self.barrier.give_up(self.before, BROKEN);
    }
}
