//! The condition: a queue of waiters, each with a slot of its own that names it, and a bell that only deaths ring.

use multiproc_sys::primitive::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::{
    lock::Stop,
    patience::Patience,
    world::{Atomic, Attention, Life, Sleep, World, look_across, note_core},
};

/// In a slot: its owner waits. The bits below the two flags are the owner's name.
const WAITING: u32 = 1 << 31;
/// In a slot: its owner has been notified, and has not left yet.
const NOTIFIED: u32 = 1 << 30;
const NAME: u32 = NOTIFIED - 1;

/// How often to look around after a wake-up that came without a reason.
const ALERT: u32 = 8;

/// A condition's words, and the world that they are in.
///
/// The queue is changed only under the condition's lock, except that a waiter leaves by its own slot.
pub(crate) struct RawCondition<'a, W: World, S> {
    pub(crate) world: &'a W,
    /// Always 0. It is slept on beside the own slot, so that the kernel wakes somebody when a waiter is killed.
    pub(crate) bell: &'a W::Word,
    /// The numbers of the first waiter, and of the one after the last; their slots are these modulo the capacity.
    pub(crate) front: &'a W::Word,
    pub(crate) back: &'a W::Word,
    /// Where somebody was notified last.
    pub(crate) core: &'a W::Word,
    /// The slot of a number below `capacity`.
    pub(crate) slot: S,
    pub(crate) capacity: u32,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Notified,
    Not(Stop),
}

impl<'a, W: World, S: Fn(u32) -> &'a W::Word> RawCondition<'a, W, S> {
    /// Under the lock: takes a slot for the process `me`; none if there are too many.
    pub(crate) fn enter(&self, me: u32) -> Option<&'a W::Word> {
        self.skip_free();
        let (front, back) = (self.front.load(Relaxed), self.back.load(Relaxed));
        if back.wrapping_sub(front) < self.capacity {
            let slot = (self.slot)(back % self.capacity);
            slot.store(WAITING | me, Release);
            // Killed before this, the slot is none, and will be taken by the next.
            self.back.store(back.wrapping_add(1), Relaxed);
            return Some(slot);
        }
        let free = (0..self.capacity).map(&self.slot).find(|slot| slot.load(Acquire) == 0);
        let slot = free.or_else(|| self.slots().find(|slot| self.is_dead(slot)))?;
        slot.store(WAITING | me, Release);
        Some(slot)
    }

    /// Without the lock: waits in a slot until notified.
    ///
    /// `owed` has to be alive from before `enter` until the slot is left: killed on the way, somebody else is told.
    pub(crate) fn wait(&self, slot: &W::Word, patience: &mut Patience) -> Ended {
        let is_over = || slot.load(Acquire) & WAITING == 0;
        if look_across(self.world, self.core, is_over) {
            return Ended::Notified;
        }
        let mut alert = 0;
        loop {
            let now = slot.load(Acquire);
            if now & WAITING == 0 {
                return Ended::Notified;
            }
            let mut attention = Attention::Bell;
            if 0 < alert {
                // Somebody was killed, or is being killed, or is about to wait where it cannot be seen: what was given to
                // it is to be inherited.
                if self.inherit(slot) {
                    continue;
                }
                attention = match self.guarded(slot) {
                    Some(Life::Watched(word, value)) => Attention::Watch(word, value),
                    _ => Attention::Often,
                };
                if !matches!(attention, Attention::Watch(..)) {
                    alert -= 1;
                }
            }
            match self.world.sleep(&[(slot, now), (self.bell, 0)], &attention, patience) {
                Sleep::Woken => alert = ALERT,
                Sleep::Look if patience.is_endless() && self.world.is_abandoned() => {
                    return self.stop(slot, Stop::Abandoned);
                }
                Sleep::Look => alert = alert.max(1),
                Sleep::Over => return self.stop(slot, Stop::Over),
            }
        }
    }

    /// Leaves the queue, unless notified at the last moment.
    fn stop(&self, slot: &W::Word, why: Stop) -> Ended {
        let now = slot.load(Acquire);
        if now & WAITING != 0 && slot.compare_exchange(now, 0, AcqRel, Relaxed).is_ok() {
            Ended::Not(why)
        } else {
            Ended::Notified
        }
    }

    /// Before a notified waiter waits for the lock, where it owes to others than those that wait here: has one of these
    /// watch over it.
    pub(crate) fn find_guard(&self) {
        self.world.wake_one(self.bell);
    }

    /// Under the lock: the waiter has left.
    pub(crate) fn leave(&self, slot: &W::Word) {
        slot.store(0, Release);
        self.skip_free();
    }

    /// Under the lock: lets up to `count` waiters go, the first that came first; returns how many.
    pub(crate) fn notify(&self, count: u32) -> u32 {
        self.skip_free();
        if count == 0 || self.front.load(Relaxed) == self.back.load(Relaxed) {
            return 0;
        }
        // Killed before the wake-up of somebody notified: one of those that wait will see to it.
        let _owed = self.world.owe(self.bell);
        note_core(self.world, self.core);
        let mut notified = 0;
        for slot in self.slots() {
            if notified == count {
                break;
            }
            let now = slot.load(Acquire);
            if now & WAITING == 0 {
                continue;
            }
            let next = if self.is_dead(slot) { 0 } else { NOTIFIED | now & NAME };
            if slot.compare_exchange(now, next, AcqRel, Relaxed).is_ok() && next != 0 {
                notified += 1;
                self.world.wake_one(slot);
            }
        }
        notified
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.slots().filter(|slot| slot.load(Acquire) & WAITING != 0 && !self.is_dead(slot)).count()
    }

    /// Takes over what was given to a waiter that has died since; true if this one is notified now.
    ///
    /// First this one is notified, then the other's is taken back: killed in between, the next that looks finds both.
    fn inherit(&self, mine: &W::Word) -> bool {
        let dead = |slot: &&'a W::Word| slot.load(Acquire) & NOTIFIED != 0 && self.is_dead(slot);
        let Some(lost) = self.slots().find(dead) else { return false };
        let (now, given) = (mine.load(Acquire), lost.load(Acquire));
        if now & WAITING == 0 {
            // It was meant for us, and the other's goes to the next that looks.
            self.world.wake_one(self.bell);
            return true;
        }
        if given & NOTIFIED == 0 {
            return false;
        }
        let ours = mine.compare_exchange(now, NOTIFIED | now & NAME, AcqRel, Relaxed).is_ok();
        let theirs = ours && lost.compare_exchange(given, 0, AcqRel, Relaxed).is_ok();
        if ours && !theirs {
            // Two looked at one moment. The other has it; this one is woken for nothing, which is better than never.
            return true;
        }
        if self.slots().any(|slot| dead(&slot)) {
            self.world.wake_one(self.bell);
        }
        true
    }

    /// Of those who have been notified and are on their way, the life of one: should it end, this one is to hear of it.
    /// Their wake-up is repeated, for whoever notified them may be dead.
    fn guarded(&self, mine: &W::Word) -> Option<Life<W::Word>> {
        let mut found = None;
        for slot in self.slots() {
            let now = slot.load(Acquire);
            if now & NOTIFIED != 0 && !std::ptr::eq(slot, mine) {
                self.world.wake_one(slot);
                found.get_or_insert_with(|| self.world.life(now & NAME));
            }
        }
        found
    }

    fn is_dead(&self, slot: &W::Word) -> bool {
        let name = slot.load(Acquire) & NAME;
        name != 0 && matches!(self.world.life(name), Life::Dead)
    }

    /// Under the lock: lets the queue begin with somebody.
    fn skip_free(&self) {
        let (mut front, back) = (self.front.load(Relaxed), self.back.load(Relaxed));
        while front != back && (self.slot)(front % self.capacity).load(Acquire) == 0 {
            front = front.wrapping_add(1);
        }
        self.front.store(front, Relaxed);
    }

    /// The slots in use, in the order of the queue.
    fn slots(&self) -> impl Iterator<Item = &'a W::Word> {
        let (front, back) = (self.front.load(Relaxed), self.back.load(Relaxed));
        // Another process has written them.
        let count = back.wrapping_sub(front).min(self.capacity);
        (0..count).map(move |at| (self.slot)(front.wrapping_add(at) % self.capacity))
    }
}
