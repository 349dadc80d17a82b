//! The condition: a queue of waiters, each with a slot of its own that names it, and a bell that only deaths ring.

use multiproc_sys::primitive::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::{
    hint::{Cores, note},
    lock::{RawLock, Stop},
    patience::Patience,
    world::{Atomic, Attention, Life, Sleep, World},
};

/// In a slot's state: its owner waits. The bits below the two flags are the owner's name.
const WAITING: u32 = 1 << 31;
/// In a slot's state, without the other: its owner has been notified, and has not left yet. With it: its owner sleeps.
const NOTIFIED: u32 = 1 << 30;
const ASLEEP: u32 = WAITING | NOTIFIED;
const NAME: u32 = NOTIFIED - 1;

/// How often to look around after a wake-up that came without a reason.
const ALERT: u32 = 8;

fn is_waiting(state: u32) -> bool {
    state & WAITING != 0
}

fn is_notified(state: u32) -> bool {
    state & ASLEEP == NOTIFIED
}

/// The words of a slot.
pub(crate) struct Slot<'a, W> {
    pub(crate) state: &'a W,
    /// 0, or the name of the process whose end wakes the owner where it sleeps.
    pub(crate) watched: &'a W,
    /// Where the owner waits.
    pub(crate) core: &'a W,
}

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
    /// The names of the process that notified somebody last, and of the one that it notified.
    pub(crate) last: [&'a W::Word; 2],
    /// Where that was, and where the one who was notified waited.
    pub(crate) cores: Cores<'a, W>,
    /// The slot of a number below `capacity`.
    pub(crate) slot: S,
    pub(crate) capacity: u32,
}

/// One who notifies.
pub(crate) struct Notifier<'l, W: World> {
    /// Its process, as slots name it.
    pub(crate) name: u32,
    /// The lock, and how its word names the notifier, who holds it. It may be of another table of processes.
    pub(crate) lock: RawLock<'l, W>,
    pub(crate) holder: u64,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Notified,
    Not(Stop),
}

impl<'a, W: World, S: Fn(u32) -> Slot<'a, W::Word>> RawCondition<'a, W, S> {
    /// Under the lock: takes a slot for the process `me`; none if there are too many.
    pub(crate) fn enter(&self, me: u32) -> Option<Slot<'a, W::Word>> {
        self.skip_free();
        let (front, back) = (self.front.load(Relaxed), self.back.load(Relaxed));
        if back.wrapping_sub(front) < self.capacity {
            let slot = (self.slot)(back % self.capacity);
            self.occupy(&slot, me);
            // Killed before this, the slot is none, and will be taken by the next.
            self.back.store(back.wrapping_add(1), Relaxed);
            return Some(slot);
        }
        let mut all = (0..self.capacity).map(&self.slot);
        let free = all.find(|slot| slot.state.load(Acquire) == 0);
        let slot = free.or_else(|| self.slots().find(|slot| self.is_dead(slot)))?;
        self.occupy(&slot, me);
        Some(slot)
    }

    fn occupy(&self, slot: &Slot<'a, W::Word>, me: u32) {
        // What was given to one who has died goes to who takes its slot, for nobody can find it afterwards.
        let given = is_notified(slot.state.load(Acquire));
        slot.watched.store(0, Relaxed);
        slot.core.store(self.world.core(), Relaxed);
        slot.state.store(if given { NOTIFIED } else { WAITING } | me, Release);
    }

    /// Without the lock: waits in a slot until notified.
    ///
    /// A debt to the bell has to be alive from before `enter` until the slot is left: killed on the way, somebody else is
    /// told.
    pub(crate) fn wait(&self, slot: &Slot<'a, W::Word>, patience: &mut Patience) -> Ended {
        if self.cores.look_across(|| !is_waiting(slot.state.load(Acquire))) {
            return Ended::Notified;
        }
        let mut alert = 0;
        let ended = loop {
            let now = slot.state.load(Acquire);
            if !is_waiting(now) {
                break Ended::Notified;
            }
            if 0 < alert {
                // Somebody was killed, or is being killed, or is about to wait where it cannot be seen: what was given to
                // it is to be inherited.
                if self.inherit(slot) {
                    continue;
                }
                self.wake_again(slot);
                alert -= 1;
            }
            // Whose death this one has to hear of: of those on their way, who may be killed before this one sleeps; else of
            // who may notify it next, see `rouse`.
            let first =
                self.on_their_way(slot).next().map(|other| other.state.load(Acquire) & NAME);
            let watched = match (first, alert) {
                (Some(name), _) => name,
                (None, 0) => self.next_notifier(now & NAME),
                (None, _) => 0,
            };
            let (attention, watched) = match self.life_of(watched) {
                Some(Life::Watched(word, value)) => (Attention::Watch(word, value), watched),
                Some(Life::Dead) if first.is_some() && alert == 0 => {
                    alert = 1;
                    continue;
                }
                _ if alert == 0 => (Attention::Bell, 0),
                _ => (Attention::Often, 0),
            };
            slot.watched.store(watched, Relaxed);
            // Who notifies this one either did so before, and is seen here, or sees that it has to be woken.
            let asleep = now | ASLEEP;
            if slot.state.compare_exchange(now, asleep, AcqRel, Relaxed).is_err() {
                continue;
            }
            let words = [(slot.state, asleep), (self.bell, 0)];
            match self.world.sleep(&words, None, &attention, patience) {
                // By this one's slot: it is notified. A wake-up by another word would not be hidden by that.
                Sleep::Woken => {}
                Sleep::Beside => alert = ALERT,
                Sleep::Look if patience.is_endless() && self.world.is_abandoned() => {
                    break self.stop(slot, Stop::Abandoned);
                }
                Sleep::Look => alert = alert.max(1),
                Sleep::Over => break self.stop(slot, Stop::Over),
            }
        };
        if 0 < alert {
            // There may be more to inherit, or it is not to be seen yet, and nobody else has been told.
            self.find_guard();
        }
        ended
    }

    /// The name of the process that may be the next to notify the process `me`, and can then have it wait for the lock, if
    /// it watches that one: who notified somebody last, or, where that was this very process, who was notified.
    fn next_notifier(&self, me: u32) -> u32 {
        let [notifier, notified] = self.last.map(|name| name.load(Relaxed));
        if notifier == me { notified } else { notifier }
    }

    /// Leaves the queue, unless notified at the last moment.
    fn stop(&self, slot: &Slot<'a, W::Word>, why: Stop) -> Ended {
        let now = slot.state.load(Acquire);
        if is_waiting(now) && slot.state.compare_exchange(now, 0, AcqRel, Relaxed).is_ok() {
            Ended::Not(why)
        } else {
            Ended::Notified
        }
    }

    /// Has one of those that wait look around: before a notified waiter waits for the lock, where it owes to others than
    /// these; and before one leaves that was to look itself.
    pub(crate) fn find_guard(&self) {
        self.world.wake_one(self.bell);
    }

    /// A notified waiter has left. One that was not has left by itself, and its slot may be another's by now.
    pub(crate) fn leave(&self, slot: &Slot<'a, W::Word>) {
        slot.state.store(0, Release);
    }

    /// With the lock held: lets up to `count` waiters go, the first that came first; returns how many.
    ///
    /// One of those who sleep is not woken, for it would only run into the lock: it is moved to those who sleep for that,
    /// and woken when it is given back. It has to hear of it, too, if the holder dies, so it must be one that watches this
    /// process.
    pub(crate) fn notify(&self, count: u32, me: &Notifier<'_, W>) -> u32 {
        self.skip_free();
        if count == 0 || self.front.load(Relaxed) == self.back.load(Relaxed) {
            return 0;
        }
        // Killed before the wake-up of somebody notified: one of those that wait will see to it.
        let _owed = self.world.owe(self.bell);
        let mut notified = 0;
        for slot in self.slots() {
            if notified == count {
                break;
            }
            let mut now = slot.state.load(Acquire);
            while is_waiting(now) {
                let next = if self.is_dead(&slot) { 0 } else { NOTIFIED | now & NAME };
                match slot.state.compare_exchange(now, next, AcqRel, Acquire) {
                    Err(other) => now = other,
                    Ok(_) if next == 0 => break,
                    Ok(_) => {
                        notified += 1;
                        self.note(&slot, me.name, now & NAME);
                        if now & ASLEEP == ASLEEP {
                            self.rouse(&slot, next, me);
                        }
                        break;
                    }
                }
            }
        }
        notified
    }

    /// Notes who has notified whom, and where.
    fn note(&self, slot: &Slot<'a, W::Word>, notifier: u32, notified: u32) {
        self.cores.note(slot.core.load(Relaxed));
        for (word, name) in self.last.iter().zip([notifier, notified]) {
            note(*word, name);
        }
    }

    /// Has one that sleeps go on: now, or when the lock is given back.
    fn rouse(&self, slot: &Slot<'a, W::Word>, state: u32, me: &Notifier<'_, W>) {
        let watches = slot.watched.load(Relaxed) == me.name;
        if !watches || !me.lock.adopt(me.holder, slot.state, state) {
            self.world.wake_one(slot.state);
        }
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        let waits =
            |slot: &Slot<'a, W::Word>| is_waiting(slot.state.load(Acquire)) && !self.is_dead(slot);
        self.slots().filter(waits).count()
    }

    /// Takes over what was given to a waiter that has died since; true if this one is notified now.
    ///
    /// First this one is notified, then the other's is taken back: killed in between, the next that looks finds both.
    fn inherit(&self, mine: &Slot<'a, W::Word>) -> bool {
        let dead =
            |slot: &Slot<'a, W::Word>| is_notified(slot.state.load(Acquire)) && self.is_dead(slot);
        let Some(lost) = self.slots().find(dead) else { return false };
        let (now, given) = (mine.state.load(Acquire), lost.state.load(Acquire));
        if !is_waiting(now) {
            // Somebody has notified us, and the other's goes to the next that looks.
            return true;
        }
        if !is_notified(given) {
            return false;
        }
        let next = NOTIFIED | now & NAME;
        if mine.state.compare_exchange(now, next, AcqRel, Relaxed).is_ok() {
            // Where two look at one moment, one of them is woken for nothing, which is better than never.
            let _ = lost.state.compare_exchange(given, 0, AcqRel, Relaxed);
        }
        true
    }

    /// Repeats the wake-up of those on their way, for whoever notified them may be dead.
    fn wake_again(&self, mine: &Slot<'a, W::Word>) {
        self.on_their_way(mine).for_each(|slot| self.world.wake_one(slot.state));
    }

    /// The others who have been notified, and have not left yet.
    fn on_their_way(&self, mine: &Slot<'a, W::Word>) -> impl Iterator<Item = Slot<'a, W::Word>> {
        let mine: *const W::Word = mine.state;
        self.slots().filter(move |slot| {
            is_notified(slot.state.load(Acquire)) && !std::ptr::eq(slot.state, mine)
        })
    }

    fn is_dead(&self, slot: &Slot<'_, W::Word>) -> bool {
        matches!(self.life_of(slot.state.load(Acquire) & NAME), Some(Life::Dead))
    }

    /// None of nobody.
    fn life_of(&self, name: u32) -> Option<Life<'_, W::Word>> {
        (name != 0).then(|| self.world.life(name))
    }

    /// Under the lock: lets the queue begin with somebody.
    fn skip_free(&self) {
        let (front, back) = (self.front.load(Relaxed), self.back.load(Relaxed));
        let mut first = front;
        while first != back && (self.slot)(first % self.capacity).state.load(Acquire) == 0 {
            first = first.wrapping_add(1);
        }
        if first != front {
            self.front.store(first, Relaxed);
        }
    }

    /// The slots in use, in the order of the queue.
    fn slots(&self) -> impl Iterator<Item = Slot<'a, W::Word>> {
        let (front, back) = (self.front.load(Relaxed), self.back.load(Relaxed));
        // Another process has written them.
        let count = back.wrapping_sub(front).min(self.capacity);
        (0..count).map(move |at| (self.slot)(front.wrapping_add(at) % self.capacity))
    }
}
