//! The protocols in a model checker, which tries every order of their steps: the shipped code, over the checker's atomics.
//!
//! Sleeping is a futex's, and nobody looks around by himself, so that a wake-up that gets lost is a deadlock, which the
//! checker reports.

mod handing_over;

use std::collections::VecDeque;

use loom::sync::{
    Arc, Condvar, Mutex,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use super::{
    barrier::{FIRST, RawBarrier},
    condition::{RawCondition, Slot},
    event::RawEvent,
    hint::Cores,
    lock::{RawLock, name_in},
    patience::Patience,
    semaphore::RawSemaphore,
    world::{Atomic, Attention, Life, Sleep, World, atomic},
};

atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);

/// One who sleeps, until it is woken: by the last of its words that was, counted from 0.
#[derive(Default)]
struct Sleeper {
    woken: Mutex<Option<usize>>,
    bell: Condvar,
}

/// One who sleeps on a word: the address of that, and which of those it is that this one sleeps on.
type Entry = (usize, usize, Arc<Sleeper>);

struct Model {
    /// The first first.
    sleepers: Mutex<VecDeque<Entry>>,
    /// What the end of a process would change; none ends here.
    alive: AtomicU32,
}

fn address(word: &AtomicU32) -> usize {
    std::ptr::from_ref(word).addr()
}

impl Model {
    fn new() -> Self {
        Self { sleepers: Mutex::new(VecDeque::new()), alive: AtomicU32::new(1) }
    }
}

impl World for Model {
    type Word = AtomicU32;
    type Wide = AtomicU64;
    type Owed<'a> = ();

    fn owe<'a>(&'a self, _: &'a AtomicU32) {}

    fn wake(&self, word: &AtomicU32, most: u32) -> u32 {
        let mut sleepers = self.sleepers.lock().unwrap();
        for count in 0..most {
            let found = sleepers.iter().position(|(at, ..)| *at == address(word));
            let Some((_, index, sleeper)) = found.and_then(|found| sleepers.remove(found)) else {
                return count;
            };
            // Until it runs, others may wake it as well.
            let mut woken = sleeper.woken.lock().unwrap();
            *woken = (*woken).max(Some(index));
            sleeper.bell.notify_one();
        }
        most
    }

    fn move_one(&self, from: &AtomicU32, expected: u32, to: &AtomicU32) -> bool {
        // On the way to the kernel others may run, which counts as no switch.
        loom::thread::yield_now();
        let mut sleepers = self.sleepers.lock().unwrap();
        let found = sleepers.iter().position(|(at, ..)| *at == address(from));
        let found = found.filter(|_| from.load(Ordering::SeqCst) == expected);
        let Some((_, index, sleeper)) = found.and_then(|found| sleepers.remove(found)) else {
            return false;
        };
        sleepers.push_back((address(to), index, sleeper));
        true
    }

    fn sleep(
        &self,
        words: &[(&AtomicU32, u32)],
        holder: Option<(&AtomicU64, u32)>,
        attention: &Attention<'_, AtomicU32>,
        _: &mut Patience,
    ) -> Sleep {
        let sleeper = Arc::new(Sleeper::default());
        {
            // As the kernel does: the look and the falling asleep are one step.
            let mut sleepers = self.sleepers.lock().unwrap();
            let is_same = |(word, value): &(&AtomicU32, u32)| word.load(Ordering::SeqCst) == *value;
            let has_it = |(word, name)| name_in(AtomicU64::load(word, Ordering::SeqCst)) == name;
            if !words.iter().all(is_same) || !holder.is_none_or(has_it) {
                return Sleep::Woken;
            }
            let watched = match attention {
                Attention::Watch(word, _) => Some(*word),
                _ => None,
            };
            let all = words.iter().map(|(word, _)| *word).chain(watched).enumerate();
            sleepers.extend(all.map(|(index, word)| (address(word), index, Arc::clone(&sleeper))));
        }
        let mut woken = sleeper.woken.lock().unwrap();
        while woken.is_none() {
            woken = sleeper.bell.wait(woken).unwrap();
        }
        drop(woken);
        let mut sleepers = self.sleepers.lock().unwrap();
        sleepers.retain(|(.., other)| !Arc::ptr_eq(other, &sleeper));
        let by_first = *sleeper.woken.lock().unwrap() == Some(0);
        if by_first { Sleep::Woken } else { Sleep::Beside }
    }

    fn life(&self, _: u32) -> Life<'_, AtomicU32> {
        Life::Watched(&self.alive, 1)
    }

    fn is_abandoned(&self) -> bool {
        false
    }

    fn core(&self) -> u32 {
        0
    }

    fn relax(&self) -> bool {
        false
    }
}

/// The words of any object.
struct Words {
    /// A lock and a condition that uses it sleep in one.
    world: Arc<Model>,
    words: [AtomicU32; 6],
    slots: [[AtomicU32; 3]; 2],
    held: AtomicU64,
    state: AtomicU64,
    parties: [AtomicU64; 2],
    /// What a lock guards: two inside at once would be a race, which the checker reports.
    guarded: loom::cell::UnsafeCell<u32>,
}

// SAFETY: What is guarded is touched under a lock only; that this holds is what is checked.
#[expect(unsafe_code, reason = "shows the checker unsynchronized memory")]
unsafe impl Sync for Words {}

impl Words {
    fn new(first: u32) -> Self {
        Self::within(Arc::new(Model::new()), first)
    }

    fn within(world: Arc<Model>, first: u32) -> Self {
        Self {
            world,
            words: [first, 0, 0, 0, 0, 0].map(AtomicU32::new),
            slots: [[0; 3]; 2].map(|words| words.map(AtomicU32::new)),
            held: AtomicU64::new(0),
            state: AtomicU64::new(FIRST),
            parties: [0, 0].map(AtomicU64::new),
            guarded: loom::cell::UnsafeCell::new(0),
        }
    }

    fn lock(&self) -> RawLock<'_, Model> {
        RawLock { world: &self.world, word: &self.held, bell: &self.words[1] }
    }

    fn semaphore(&self) -> RawSemaphore<'_, Model> {
        RawSemaphore { world: &self.world, permits: &self.words[0], bell: &self.words[1] }
    }

    fn event(&self) -> RawEvent<'_, Model> {
        RawEvent {
            world: &self.world,
            state: &self.words[0],
            bell: &self.words[1],
            core: &self.words[2],
        }
    }

    fn barrier<'a>(&'a self) -> RawBarrier<'a, Model, impl Fn(u32) -> &'a AtomicU64> {
        RawBarrier {
            world: &self.world,
            state: &self.state,
            bell: &self.words[0],
            slot: |index| &self.parties[index as usize],
            parties: 2,
        }
    }

    /// Beside a lock.
    fn condition<'a>(&'a self) -> RawCondition<'a, Model, impl Fn(u32) -> Slot<'a, AtomicU32>> {
        RawCondition {
            world: &self.world,
            bell: &self.words[0],
            front: &self.words[2],
            back: &self.words[3],
            last: [&self.words[4], &self.words[5]],
            cores: Cores { world: &self.world, word: &self.words[1] },
            slot: |index| {
                let [state, watched, core] = &self.slots[index as usize % 2];
                Slot { state, watched, core }
            },
            capacity: 2,
        }
    }

    fn take(&self, me: u64) {
        if !self.lock().take_free(me) {
            self.lock().take(me, &mut Patience::endless()).unwrap();
        }
    }

    fn change(&self) -> u32 {
        self.guarded.with_mut(|value| {
            #[expect(unsafe_code, reason = "shows the checker unsynchronized memory")]
            // SAFETY: Under the lock; the checker reports it if another thread is here.
            let value = unsafe { &mut *value };
            *value += 1;
            *value
        })
    }
}

/// Runs every order of steps with at most two switches where none was needed, or `LOOM_MAX_PREEMPTIONS`.
fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(2);
    builder.check(model);
}

/// Runs the first 300 orders, or `LOOM_MAX_PERMUTATIONS`, of those with at most one such switch: for a model that has too
/// many.
fn check_some(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(1);
    builder.max_permutations.get_or_insert(300);
    builder.check(model);
}

#[test]
fn one_alone_is_inside_and_nobody_sleeps_for_a_free_lock() {
    check(|| {
        let words = Arc::new(Words::new(0));
        let user = |me| {
            let words = Arc::clone(&words);
            move || {
                words.take(me);
                words.change();
                assert!(words.lock().release());
            }
        };
        let others = [loom::thread::spawn(user(2)), loom::thread::spawn(user(3))];
        user(1)();
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(words.change(), 4);
    });
}

#[test]
fn permits_reach_all_who_sleep_for_them() {
    check(|| {
        let words = Arc::new(Words::new(0));
        let taker = || {
            let words = Arc::clone(&words);
            loom::thread::spawn(move || {
                if !words.semaphore().try_take() {
                    words.semaphore().take(&mut Patience::endless()).unwrap();
                }
            })
        };
        let takers = [taker(), taker()];
        assert!(words.semaphore().give(9) && words.semaphore().give(9));
        for taker in takers {
            taker.join().unwrap();
        }
        assert_eq!(words.semaphore().value(), 0);
    });
}

#[test]
fn set_event_is_slept_for_by_nobody() {
    check(|| {
        let words = Arc::new(Words::new(0));
        let waiter = || {
            let words = Arc::clone(&words);
            loom::thread::spawn(move || words.event().wait(&mut Patience::endless()).unwrap())
        };
        let waiters = [waiter(), waiter()];
        words.event().set();
        for waiter in waiters {
            waiter.join().unwrap();
        }
        words.event().clear();
        assert!(!words.event().is_set());
    });
}

#[test]
fn both_parties_pass_twice() {
    check(|| {
        let words = Arc::new(Words::new(0));
        let party = |me| {
            let words = Arc::clone(&words);
            move || {
                let pass = || words.barrier().wait(me, &mut Patience::endless(), || ()).unwrap();
                [pass(), pass()]
            }
        };
        let other = loom::thread::spawn(party(2));
        let mine = party(1)();
        let theirs = other.join().unwrap();
        assert!(mine.iter().zip(theirs).all(|(mine, theirs)| mine + theirs == 1));
        assert!(!words.barrier().is_broken() && words.barrier().waiting() == 0);
    });
}

#[test]
fn aborted_barrier_frees_who_waits() {
    check(|| {
        let words = Arc::new(Words::new(0));
        let waiter = {
            let words = Arc::clone(&words);
            loom::thread::spawn(move || {
                words.barrier().wait(1, &mut Patience::endless(), || ()).unwrap_err();
            })
        };
        words.barrier().abort();
        waiter.join().unwrap();
        words.barrier().reset();
        assert!(!words.barrier().is_broken());
    });
}
