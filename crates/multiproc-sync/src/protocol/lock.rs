//! The lock: one word that names its holder, and a bell to sleep on.

use multiproc_sys::primitive::Ordering::{AcqRel, Acquire, Relaxed};

use super::{
    patience::Patience,
    world::{Atomic, Attention, Life, Sleep, WAITERS, World, ring_one},
};

/// How often to look before sleeping.
const SPINS: usize = 10;

/// A lock's words, and the world that they are in.
pub(crate) struct RawLock<'a, W: World> {
    pub(crate) world: &'a W,
    /// 0 or the name of the holder.
    pub(crate) word: &'a W::Word,
    /// What waiters sleep on: never the word itself, so that a waiter that is killed on its way to the lock makes the
    /// kernel wake the next one, whoever holds the lock by then.
    pub(crate) bell: &'a W::Word,
}

/// How a lock was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It was free.
    Free,
    /// Its holder had died with it.
    FromDead,
}

/// Why it was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The deadline has passed.
    Over,
    /// Nobody is left who could give it back.
    Abandoned,
}

impl<W: World> RawLock<'_, W> {
    /// Takes a free lock.
    #[inline]
    pub(crate) fn take_free(&self, me: u32) -> bool {
        self.word.compare_exchange(0, me, Acquire, Relaxed).is_ok()
    }

    /// Takes a lock that is free, or whose holder has died.
    pub(crate) fn try_take(&self, me: u32) -> Option<Taken> {
        loop {
            if self.take_free(me) {
                return Some(Taken::Free);
            }
            let holder = self.word.load(Acquire);
            if holder == 0 {
                continue;
            }
            if !matches!(self.world.life(holder), Life::Dead) {
                return None;
            }
            if self.word.compare_exchange(holder, me, AcqRel, Relaxed).is_ok() {
                return Some(Taken::FromDead);
            }
        }
    }

    /// Waits for the lock, and takes it.
    #[cold]
    pub(crate) fn take(&self, me: u32, patience: &mut Patience) -> Result<Taken, Stop> {
        if self.spin(me) {
            return Ok(Taken::Free);
        }
        // From here on a wake-up may be on its way to us. Killed, we would swallow it.
        let _owed = self.world.owe(self.bell);
        let mut has_touched = false;
        loop {
            let holder = self.word.load(Acquire);
            let life = if holder == 0 { Life::Dead } else { self.world.life(holder) };
            let attention = match life {
                Life::Watched(word, value) => Attention::Watch(word, value),
                Life::Unwatched => Attention::Often,
                Life::Dead => {
                    if has_touched {
                        // One who has slept does not know whether others still do: the release after ours has to ring.
                        self.bell.swap(WAITERS, AcqRel);
                    }
                    if self.word.compare_exchange(holder, me, AcqRel, Relaxed).is_ok() {
                        if has_touched {
                            self.find_guard();
                        }
                        return Ok(if holder == 0 { Taken::Free } else { Taken::FromDead });
                    }
                    continue;
                }
            };
            has_touched = true;
            self.bell.swap(WAITERS, AcqRel);
            // A read-modify-write, so that the release comes either before it, and is seen here, or after it, and sees
            // the bell.
            if self.word.fetch_or(0, AcqRel) != holder {
                continue;
            }
            // The word as well: had the lock changed hands by now, we would watch the wrong one.
            let words = [(self.bell, WAITERS), (self.word, holder)];
            match self.world.sleep(&words, &attention, patience) {
                Sleep::Woken => {}
                Sleep::Look if patience.is_endless() && self.world.is_abandoned() => {
                    return Err(Stop::Abandoned);
                }
                Sleep::Look => {}
                Sleep::Over => {
                    // The lock may have become free, or its holder died, at the last moment.
                    let taken = self.try_take(me);
                    self.find_guard();
                    return taken.ok_or(Stop::Over);
                }
            }
        }
    }

    /// Has one of those who sleep for the lock watch its present holder.
    ///
    /// Each watches the one that it found when it went to sleep. As long as the lock changes hands without those who sleep
    /// for it, the one that is woken at each release looks anew. When that one takes the lock itself, or gives up, nobody
    /// would.
    fn find_guard(&self) {
        self.world.wake_one(self.bell);
    }

    /// Looks a few times whether the lock becomes free, unless somebody sleeps for it already.
    fn spin(&self, me: u32) -> bool {
        for _ in 0..SPINS {
            if self.bell.load(Relaxed) != 0 || !self.world.relax() {
                return false;
            }
            if self.word.load(Relaxed) == 0 && self.take_free(me) {
                return true;
            }
        }
        false
    }

    /// Gives the lock back, whoever holds it; false if nobody did.
    #[inline]
    pub(crate) fn release(&self) -> bool {
        let _owed = self.world.owe(self.bell);
        let was_held = self.word.swap(0, AcqRel) != 0;
        ring_one(self.world, self.bell);
        was_held
    }
}
