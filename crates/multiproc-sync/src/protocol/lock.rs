//! The lock: one number that names its holder, and a bell to sleep on.

use multiproc_sys::primitive::Ordering::{AcqRel, Acquire, Relaxed};

use super::{
    hint::LOOKS,
    patience::Patience,
    world::{Atomic, Attention, Life, Sleep, WAITERS, World},
};

/// How often to look before sleeping.
const SPINS: usize = 10;

/// In a lock's bell, beside [`WAITERS`]: somebody sleeps on it who was moved here by a condition.
///
/// Such a one does not set the bell before it takes the lock, so it must not be the only one to be woken while others sleep.
pub(crate) const MOVED: u32 = 1 << 30;

/// A lock's words, and the world that they are in.
pub(crate) struct RawLock<'a, W: World> {
    pub(crate) world: &'a W,
    /// 0 or the holder: the name of its process below, the number of its thread above.
    pub(crate) word: &'a W::Wide,
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

/// The name of the process in a lock's word.
#[inline]
pub(crate) fn name_in(holder: u64) -> u32 {
    holder as u32
}

impl<W: World> RawLock<'_, W> {
    /// Takes a free lock.
    #[inline]
    pub(crate) fn take_free(&self, me: u64) -> bool {
        self.word.compare_exchange(0, me, Acquire, Relaxed).is_ok()
    }

    /// Takes a lock that is free, or whose holder has died.
    pub(crate) fn try_take(&self, me: u64) -> Option<Taken> {
        loop {
            if self.take_free(me) {
                return Some(Taken::Free);
            }
            let holder = self.word.load(Acquire);
            if holder == 0 {
                continue;
            }
            if !matches!(self.world.life(name_in(holder)), Life::Dead) {
                return None;
            }
            if self.word.compare_exchange(holder, me, AcqRel, Relaxed).is_ok() {
                return Some(Taken::FromDead);
            }
        }
    }

    /// Waits for the lock, and takes it.
    #[cold]
    pub(crate) fn take(&self, me: u64, patience: &mut Patience) -> Result<Taken, Stop> {
        if self.take_soon(me, SPINS) {
            return Ok(Taken::Free);
        }
        // From here on a wake-up may be on its way to us. Killed, we would swallow it.
        let _owed = self.world.owe(self.bell);
        let mut has_touched = false;
        loop {
            let holder = self.word.load(Acquire);
            let life = if holder == 0 { Life::Dead } else { self.world.life(name_in(holder)) };
            let attention = match life {
                Life::Watched(word, value) => Attention::Watch(word, value),
                Life::Unwatched => Attention::Often,
                Life::Dead => {
                    if has_touched {
                        // One who has slept does not know whether others still do: the release after ours has to ring.
                        self.bell.fetch_or(WAITERS, AcqRel);
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
            let bell = self.bell.fetch_or(WAITERS, AcqRel) | WAITERS;
            // A read-modify-write, so that the release comes either before it, and is seen here, or after it, and sees
            // the bell.
            if self.word.fetch_or(0, AcqRel) != holder {
                continue;
            }
            // The word as well: had the lock changed hands by now, we would watch the wrong one.
            let held = Some((self.word, name_in(holder)));
            match self.world.sleep(&[(self.bell, bell)], held, &attention, patience) {
                Sleep::Look if patience.is_endless() && self.world.is_abandoned() => {
                    return Err(Stop::Abandoned);
                }
                Sleep::Woken | Sleep::Beside | Sleep::Look => {}
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

    /// Looks whether the lock becomes free, and takes it; not while somebody sleeps for it.
    fn take_soon(&self, me: u64, looks: usize) -> bool {
        for _ in 0..looks {
            if self.bell.load(Relaxed) != 0 || !self.world.relax() {
                return false;
            }
            if self.word.load(Relaxed) == 0 && self.take_free(me) {
                return true;
            }
        }
        false
    }

    /// The same, for as long as it may be worth where the holder runs on another core.
    pub(crate) fn take_from_afar(&self, me: u64) -> bool {
        self.take_soon(me, LOOKS)
    }

    #[inline]
    pub(crate) fn is_held(&self) -> bool {
        self.word.load(Relaxed) != 0
    }

    /// Looks for as long until the lock is free, and does not take it; not while somebody sleeps for it.
    pub(crate) fn look_for_release(&self) {
        for _ in 0..LOOKS {
            if !self.is_held() || self.bell.load(Relaxed) != 0 || !self.world.relax() {
                return;
            }
        }
    }

    /// Gives the lock back, whoever holds it; false if nobody did.
    #[inline]
    pub(crate) fn release(&self) -> bool {
        let _owed = self.world.owe(self.bell);
        let was_held = self.word.swap(0, AcqRel) != 0;
        // That swap, and the last look of whoever goes to sleep, are read-modify-writes of one word: one of the two comes
        // first, and then sees or is seen.
        if self.bell.load(Relaxed) != 0 {
            self.ring();
        }
        was_held
    }

    #[cold]
    #[inline(never)]
    fn ring(&self) {
        loop {
            let bell = self.bell.load(Acquire);
            if bell == 0 {
                return;
            }
            let rest = if bell == WAITERS | MOVED { WAITERS } else { 0 };
            if self.bell.compare_exchange(bell, rest, AcqRel, Relaxed).is_err() {
                continue;
            }
            if bell & MOVED == 0 {
                return self.world.wake_one(self.bell);
            }
            // One who was moved here says nothing of the others, so with it another is woken.
            if self.world.wake(self.bell, 2) == 2 {
                // There may be more, and the one who was moved among them.
                self.bell.fetch_or(WAITERS | MOVED, AcqRel);
            }
            return;
        }
    }

    /// With the lock held by `me`: has one that sleeps on `from`, and watches this process, sleep for the lock; false if it
    /// has to be woken instead.
    pub(crate) fn adopt(&self, me: u64, from: &W::Word, expected: u32) -> bool {
        if self.bell.compare_exchange(0, MOVED, AcqRel, Relaxed).is_err() {
            return false;
        }
        if !self.world.move_one(from, expected, self.bell) {
            let _ = self.bell.compare_exchange(MOVED, 0, AcqRel, Relaxed);
            return false;
        }
        // The release before ours may have rung as late as this, before there was anybody to wake.
        self.bell.fetch_or(MOVED, AcqRel);
        if self.word.fetch_or(0, AcqRel) != me {
            // Somebody else has given the lock back, perhaps before the bell could be seen. Others may sleep in front by now.
            self.bell.fetch_or(WAITERS, AcqRel);
            self.ring();
        }
        true
    }
}
