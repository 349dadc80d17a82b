//! Kills a process after every so many of its instructions in one operation on a synchronisation object, and looks whether
//! those who depend on it go on, and whether all is counted right.
//!
//! `steps SCENE POINTS`: kills after that many numbers of instructions, at random, or after every one if POINTS is 0. Run it
//! with `MULTIPROC_WITHOUT=slices`, so that a wake-up that is lost is one for ever.

mod dependants;
mod locks;
mod waits;

use std::{
    error::Error,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use multiproc::{BoundedSemaphore, Lock, Semaphore};
use multiproc_tests::random::Random;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

#[multiproc::main]
fn main() -> Outcome {
    let mut args = std::env::args().skip(1);
    let scene = args.next().ok_or("which scene?")?;
    let points: usize = args.next().ok_or("how many points?")?.parse()?;
    let play: Play = match scene.as_str() {
        "lock" => locks::lock,
        "lock-release" => locks::lock_release,
        "lock-wait" => locks::lock_wait,
        "rlock" => locks::rlock,
        "mutex" => locks::mutex,
        "semaphore-release" => waits::release::<Semaphore>,
        "semaphore-wait" => waits::wait::<Semaphore>,
        "bounded-semaphore-release" => waits::release::<BoundedSemaphore>,
        "bounded-semaphore-wait" => waits::wait::<BoundedSemaphore>,
        "event-set" => waits::event_set,
        "event-wait" => waits::event_wait,
        "condition-notify" => waits::condition_notify,
        "condition-hand-over" => waits::condition_hand_over,
        "condition-wait" => waits::condition_wait,
        "condition-wait-moved" => waits::condition_wait_moved,
        "barrier-wait" => waits::barrier_wait,
        "barrier-last" => waits::barrier_last,
        "entry" => locks::entry,
        other => return Err(format!("there is no scene called {other}").into()),
    };
    // The family's table, and this process's entry in it.
    drop(Lock::new()?.guard()?);
    let all = length(play)?;
    let mut random = Random::new();
    let count = if points == 0 { all } else { points };
    for number in 0..count {
        let point = if points == 0 { number } else { random.below(all as u64) as usize };
        play(point).map_err(|err| format!("{scene}, killed after {point} instructions: {err}"))?;
    }
    println!("{scene}: {count} points of {all}");
    Ok(())
}

/// How many instructions the operation takes, more or less.
fn length(play: Play) -> Result<usize, Box<dyn Error>> {
    TAKEN.store(0, SeqCst);
    play(usize::MAX)?;
    Ok(TAKEN.load(SeqCst))
}

/// Plays a scene in which the victim is killed after so many instructions.
type Play = fn(usize) -> Outcome;

/// How many instructions the victim has run.
pub(crate) static TAKEN: AtomicUsize = AtomicUsize::new(0);
