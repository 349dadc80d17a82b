//! The condition in a world of one thread, where each sleep ends as a test says: what a waiter does on its way.

use std::cell::{Cell, RefCell};

use multiproc_sys::primitive::{AtomicU32, AtomicU64};

use super::{
    condition::{Ended, Notifier, RawCondition, Slot},
    hint::Cores,
    lock::{RawLock, Stop},
    patience::Patience,
    world::{Attention, Life, Sleep, World},
};

/// Says how a sleep ends, after what happens meanwhile.
type Play<'p> = dyn FnMut(&Stage<'p>, &Attention<'_, AtomicU32>) -> Sleep + 'p;

struct Stage<'p> {
    play: RefCell<Box<Play<'p>>>,
    dead: Cell<u32>,
    /// The address of each word whose sleepers were woken.
    woken: RefCell<Vec<usize>>,
    alive: AtomicU32,
}

impl<'p> Stage<'p> {
    fn new(play: impl FnMut(&Self, &Attention<'_, AtomicU32>) -> Sleep + 'p) -> Self {
        let play: RefCell<Box<Play<'p>>> = RefCell::new(Box::new(play));
        Self { play, dead: Cell::new(0), woken: RefCell::default(), alive: AtomicU32::new(1) }
    }

    fn has_woken(&self, word: &AtomicU32) -> bool {
        self.woken.borrow().contains(&word.as_ptr().addr())
    }

    /// How the wait of process 1 ends.
    fn wait(&self, words: &Words) -> Ended {
        let condition = words.condition(self);
        let slot = condition.enter(1).unwrap();
        condition.wait(&slot, &mut Patience::endless())
    }
}

impl World for Stage<'_> {
    type Word = AtomicU32;
    type Wide = AtomicU64;
    type Owed<'a>
        = ()
    where
        Self: 'a;

    fn owe<'a>(&'a self, _: &'a AtomicU32) {}

    fn wake(&self, word: &AtomicU32, _: u32) -> u32 {
        self.woken.borrow_mut().push(word.as_ptr().addr());
        0
    }

    fn move_one(&self, _: &AtomicU32, _: u32, _: &AtomicU32) -> bool {
        false
    }

    fn sleep(
        &self,
        _: &[(&AtomicU32, u32)],
        _: Option<(&AtomicU64, u32)>,
        attention: &Attention<'_, AtomicU32>,
        _: &mut Patience,
    ) -> Sleep {
        self.play.borrow_mut()(self, attention)
    }

    fn life(&self, name: u32) -> Life<'_, AtomicU32> {
        if name == self.dead.get() { Life::Dead } else { Life::Watched(&self.alive, 1) }
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

#[derive(Default)]
struct Words {
    words: [AtomicU32; 7],
    slots: [[AtomicU32; 3]; 2],
    held: AtomicU64,
}

impl Words {
    fn bell(&self) -> &AtomicU32 {
        &self.words[0]
    }

    fn condition<'a, 'p>(
        &'a self,
        world: &'a Stage<'p>,
    ) -> RawCondition<'a, Stage<'p>, impl Fn(u32) -> Slot<'a, AtomicU32>> {
        let [bell, front, back, notifier, notified, core, _] = &self.words;
        let slot = |index: u32| {
            let [state, watched, core] = &self.slots[index as usize % 2];
            Slot { state, watched, core }
        };
        let (last, cores) = ([notifier, notified], Cores { world, word: core });
        RawCondition { world, bell, front, back, last, cores, slot, capacity: 2 }
    }

    /// Process 9 notifies one.
    fn notify(&self, world: &Stage<'_>) {
        let lock = RawLock { world, word: &self.held, bell: &self.words[6] };
        self.condition(world).notify(1, &Notifier { name: 9, lock, holder: 9 });
    }
}

#[test]
fn who_is_told_nothing_never_sleeps_short() {
    let (words, sleeps) = (Words::default(), Cell::new(0));
    let stage = Stage::new(|_, attention| {
        assert!(!matches!(attention, Attention::Often), "after {} sleeps", sleeps.get());
        sleeps.set(sleeps.get() + 1);
        if sleeps.get() < 10 { Sleep::Look } else { Sleep::Over }
    });
    assert_eq!(stage.wait(&words), Ended::Not(Stop::Over));
}

#[test]
fn who_was_told_to_look_and_leaves_tells_the_next() {
    let (beside, look) = ([Sleep::Beside].as_slice(), [Sleep::Look].as_slice());
    for (sleeps, tells) in [
        (vec![], false),
        (vec![Sleep::Look], false),
        (vec![Sleep::Woken], false),
        (vec![Sleep::Beside], true),
        ([beside, &look.repeat(6)].concat(), true),
        // Then it has looked for long enough.
        ([beside, &look.repeat(7)].concat(), false),
    ] {
        for is_notified in [false, true] {
            let (words, mut ends) = (Words::default(), sleeps.iter().copied());
            let stage = Stage::new(|stage, _| {
                ends.next().unwrap_or_else(|| {
                    if is_notified {
                        words.notify(stage);
                    }
                    Sleep::Over
                })
            });
            let ended = if is_notified { Ended::Notified } else { Ended::Not(Stop::Over) };
            assert_eq!(stage.wait(&words), ended);
            assert_eq!(stage.has_woken(words.bell()), tells, "{sleeps:?}, {is_notified}");
        }
    }
}

#[test]
fn what_was_given_to_one_who_died_is_inherited() {
    let words = Words::default();
    let stage = Stage::new(|stage, _| {
        words.notify(stage);
        stage.dead.set(5);
        Sleep::Beside
    });
    words.condition(&stage).enter(5).unwrap();
    assert_eq!(stage.wait(&words), Ended::Notified);
    assert!(stage.has_woken(words.bell()), "there may be more of it");
    assert_eq!(words.condition(&stage).waiting(), 0);
}

#[test]
fn what_was_given_to_one_who_died_goes_to_who_takes_its_slot() {
    let words = Words::default();
    let stage = Stage::new(|_, _| Sleep::Over);
    let condition = words.condition(&stage);
    assert!(condition.enter(5).is_some() && condition.enter(6).is_some());
    assert!(condition.enter(1).is_none(), "there is no room");
    words.notify(&stage);
    stage.dead.set(5);
    assert_eq!(stage.wait(&words), Ended::Notified);
    assert_eq!(condition.waiting(), 1);
}
