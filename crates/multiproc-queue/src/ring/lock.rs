//! The lock of one side of the ring, and the two ways of sleeping on its word.
//!
//! The word is 0, or the id of the thread that holds it, with two flags that the kernel knows too. The table of who
//! sleeps where, and what happens when somebody is killed, is in the README beside this file.

use multiproc_sys::primitive::Ordering::{Relaxed, SeqCst};

use super::{
    futex::{ANYBODY, HASTY, HASTY_ONLY, LEADER, LOCKERS, Wake},
    patience::{Patience, Slices},
    world::{Atomic, Named, World},
};

/// Set while somebody may sleep on the word.
pub(super) const WAITERS: u32 = 1 << 31;
/// Set by the kernel when the holder was killed.
pub(super) const OWNER_DIED: u32 = 1 << 30;
/// The holder's thread id.
pub(super) const OWNER: u32 = OWNER_DIED - 1;

/// How often a locker looks again before it sleeps.
const SPINS: u32 = 40;

/// No leader waits.
const NONE: u32 = 0;
/// A leader of the other side waits for this one.
const WAITING: u32 = 1;
/// It has been called since.
const CALLED: u32 = 2;

/// One side's lock, in shared memory.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Side<A> {
    // Invariant: 0 or a thread's id below the two flags; never a counter, for the kernel acts upon it.
    lock: A,
    /// 1 while lockers may be asleep.
    lockers: A,
    /// Whether a leader of the other side is asleep here.
    leader: A,
    /// 1 while among the lockers there may be one that does not want to wait for a leader.
    hasty: A,
}

/// Why a lock was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotLocked {
    /// The patience is over: for one that has none, when the holder is a leader, which may take its time.
    TimedOut,
    /// This very thread holds it: a signal handler has interrupted an operation.
    Reentered,
}

/// A side's lock, held; dropping it releases.
pub(super) struct Held<'a, W: World> {
    world: &'a W,
    side: &'a Side<W::Word>,
    /// True if the holder before was killed.
    pub(super) died: bool,
    // Dropped after the release, so that a kill between the two is noticed.
    _pending: W::Pending<'a>,
}

/// How a leader's wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Led {
    /// What it waited for may have come.
    Look,
    /// A slice is over: time to look after the rest of the house.
    Slice,
}

impl<A: Atomic<u32>> Side<A> {
    /// Of words that are made one by one.
    #[cfg(test)]
    pub(super) fn of(word: fn() -> A) -> Self {
        Self { lock: word(), lockers: word(), leader: word(), hasty: word() }
    }

    /// What the kernel acts upon.
    #[cfg(test)]
    pub(super) fn word(&self) -> &A {
        &self.lock
    }

    /// Takes the lock. `ours` is where a leader of this side would sleep: the other side.
    #[inline]
    pub(super) fn lock<'a, W: World<Word = A>>(
        &'a self,
        world: &'a W,
        ours: &Self,
        patience: Patience,
    ) -> Result<Held<'a, W>, NotLocked> {
        let pending = world.begin(&self.lock);
        let free = self.lock.compare_exchange(0, pending.tid(), SeqCst, Relaxed);
        let died = match free {
            Ok(_) => false,
            Err(_) => self.lock_contended(world, pending.tid(), ours, patience)?,
        };
        Ok(Held { world, side: self, died, _pending: pending })
    }

    /// Takes the lock if it is there for the taking: nobody has it, and nobody was killed with it.
    #[inline]
    pub(super) fn lock_at_once<'a, W: World<Word = A>>(
        &'a self,
        world: &'a W,
    ) -> Option<Held<'a, W>> {
        let pending = world.begin(&self.lock);
        let tid = pending.tid();
        match self.lock.compare_exchange(0, tid, SeqCst, Relaxed) {
            Ok(_) => {}
            // A leader of the other side sleeps here.
            Err(WAITERS) => {
                self.lock.compare_exchange(WAITERS, tid | WAITERS, SeqCst, Relaxed).ok()?;
            }
            Err(_) => return None,
        }
        Some(Held { world, side: self, died: false, _pending: pending })
    }

    #[cold]
    fn lock_contended<W: World<Word = A>>(
        &self,
        world: &W,
        tid: u32,
        ours: &Self,
        patience: Patience,
    ) -> Result<bool, NotLocked> {
        let (mut looks, mut slept) = (0, false);
        let mut slices = None;
        loop {
            let seen = self.lock.load(Relaxed);
            if seen & OWNER == 0 {
                if slept {
                    // Others may sleep still, and who woke us has taken note of them off the word.
                    self.lockers.store(1, SeqCst);
                }
                let flags = if slept { WAITERS } else { seen & WAITERS };
                if self.lock.compare_exchange(seen, tid | flags, SeqCst, Relaxed).is_ok() {
                    return Ok(seen & OWNER_DIED != 0);
                }
                continue;
            }
            if seen & OWNER == tid {
                return Err(NotLocked::Reentered);
            }
            looks += 1;
            if looks < SPINS && world.relax() {
                continue;
            }
            // Without patience one waits for who is at work for a moment, as long as that takes, but not for a leader.
            let is_hasty = matches!(patience, Patience::None);
            if is_hasty {
                self.hasty.store(1, SeqCst);
            }
            if if is_hasty { ours.has_leader() } else { patience.is_over() } {
                if slept {
                    self.pass_on(world);
                }
                return Err(NotLocked::TimedOut);
            }
            let with_waiters = seen | WAITERS;
            if seen != with_waiters
                && self.lock.compare_exchange(seen, with_waiters, SeqCst, Relaxed).is_err()
            {
                continue;
            }
            self.lockers.store(1, SeqCst);
            let slices = slices.get_or_insert_with(Slices::new);
            let kind = if is_hasty { HASTY } else { LOCKERS };
            let wake = world.wait(&self.lock, with_waiters, kind, slices.end(patience));
            slept |= wake == Wake::Woken;
            if wake == Wake::TimedOut && slices.next() {
                slept = true;
                self.bury(world);
            }
        }
    }

    /// Somebody who was woken goes without the lock: another one has to be woken in his place.
    fn pass_on<W: World<Word = A>>(&self, world: &W) {
        self.lockers.store(1, SeqCst);
        let seen = self.lock.load(SeqCst);
        let is_noted = seen & OWNER != 0
            && self.lock.compare_exchange(seen, seen | WAITERS, SeqCst, Relaxed).is_ok();
        if !is_noted {
            world.wake(&self.lock, 1, LOCKERS);
        }
    }

    #[inline]
    fn release<W: World<Word = A>>(&self, world: &W) {
        if self.lock.swap(0, SeqCst) & WAITERS != 0 {
            self.wake(world);
        }
    }

    /// Wakes one locker, and the leader of the other side.
    ///
    /// In this order: a kill between the two leaves `leader` at [`WAITING`], by which a leader that the kernel wakes
    /// knows that lockers may have been forgotten.
    #[cold]
    fn wake<W: World<Word = A>>(&self, world: &W) {
        if self.lockers.load(SeqCst) != 0 && self.lockers.swap(0, SeqCst) != 0 {
            world.wake(&self.lock, 1, LOCKERS);
        }
        // It stays called until it has come: it may not be asleep yet, and then a later release calls it again.
        let leader = self.leader.compare_exchange(WAITING, CALLED, SeqCst, SeqCst);
        if leader != Err(NONE) {
            world.wake(&self.lock, 1, LEADER);
        }
    }

    /// Sleeps, as the leader of the `other` side, until this side has done something. `look` says whether it has.
    pub(super) fn lead<W: World<Word = A>>(
        &self,
        world: &W,
        other: &Self,
        slices: &mut Slices,
        patience: Patience,
        mut look: impl FnMut() -> bool,
    ) -> Led {
        if other.has_leader() {
            // Both sides cannot have to wait. Either that one has been called and comes, or who was about to call it was
            // killed and the kernel has woken somebody else in its place.
            other.nudge(world);
        }
        self.leader.store(WAITING, SeqCst);
        if other.hasty.load(SeqCst) != 0 {
            other.hasty.store(0, SeqCst);
            world.wake(&other.lock, u32::MAX >> 1, HASTY_ONLY);
        }
        let was = self.lock.fetch_or(WAITERS, SeqCst);
        if was & OWNER != 0 && was & WAITERS == 0 {
            // A locker that was noted for this very word, and whose note has been used up before it fell asleep, would
            // take our flag for its own and sleep on.
            self.lockers.store(1, SeqCst);
        }
        if look() {
            self.leader.store(NONE, SeqCst);
            return Led::Look;
        }
        let wake = world.wait(&self.lock, was | WAITERS, LEADER, slices.end(patience));
        let called = self.leader.swap(NONE, SeqCst) == CALLED;
        if wake == Wake::Woken && !called {
            // The kernel's single wake-up, after a death. It may have been meant for a locker.
            world.wake(&self.lock, 1, LOCKERS);
        }
        if wake == Wake::TimedOut && slices.next() {
            self.bury(world);
            return Led::Slice;
        }
        Led::Look
    }

    /// Wakes the leader of the other side without having done anything.
    pub(super) fn nudge<W: World<Word = A>>(&self, world: &W) {
        world.wake(&self.lock, 1, LEADER);
    }

    /// Has everybody who sleeps on this word, or is about to, look again.
    pub(super) fn rouse<W: World<Word = A>>(&self, world: &W) {
        self.lock.fetch_and(!WAITERS, SeqCst);
        world.wake(&self.lock, u32::MAX >> 1, ANYBODY);
    }

    /// True if a leader of the other side waits for this one.
    #[inline]
    pub(super) fn has_leader(&self) -> bool {
        self.leader.load(SeqCst) != NONE
    }

    /// Takes back the note of a leader that was killed, by who has taken the lock that it held.
    pub(super) fn forget_leader(&self) {
        self.leader.store(NONE, SeqCst);
    }

    /// True while a thread holds the lock, also one that is being killed.
    #[inline]
    pub(super) fn is_owned(&self) -> bool {
        self.lock.load(SeqCst) & OWNER != 0
    }

    /// True if the last holder was killed and nobody has taken the lock since.
    #[inline]
    pub(super) fn owner_died(&self) -> bool {
        self.lock.load(SeqCst) & OWNER_DIED != 0
    }

    /// Marks a lock whose holder is gone, where the kernel could not.
    pub(super) fn bury<W: World<Word = A>>(&self, world: &W) {
        let seen = self.lock.load(SeqCst);
        let owner = seen & OWNER;
        if owner != 0 && !world.is_alive(owner) {
            let marked = seen & WAITERS | OWNER_DIED;
            let _ = self.lock.compare_exchange(seen, marked, SeqCst, Relaxed);
        }
    }
}

impl<W: World> Drop for Held<'_, W> {
    #[inline]
    fn drop(&mut self) {
        self.side.release(self.world);
    }
}
