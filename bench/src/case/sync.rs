//! Locks and their like, beside the bare kernel.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use multiproc::{Condition, Context, Event, Lock, Mutex, RLock, RawValue};

use super::{Case, Figures, median};
use crate::{
    Result,
    machine::{now_us, pin_to_number},
    raw,
};

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Lock,
    RLock,
    Mutex,
    Counter,
    Event { cross: bool },
    Condition { cross: bool },
    Death,
}

/// Measures one of them.
pub(super) struct Sync(pub(super) What);

const PAIRS: u32 = 2_000_000;
const ADDITIONS: u32 = 1_000_000;
const TRIPS: u32 = 20_000;
const DEATHS: u32 = 15;

impl Case for Sync {
    fn ours(&mut self) -> Result<Figures> {
        Ok(vec![match self.0 {
            What::Lock => {
                let lock = Lock::new()?;
                pairs(|| {
                    let _ = black_box(&lock).acquire();
                    let _ = black_box(&lock).release();
                })
            }
            What::RLock => {
                let lock = RLock::new()?;
                pairs(|| {
                    let _ = black_box(&lock).acquire();
                    let _ = black_box(&lock).release();
                })
            }
            What::Mutex => {
                let mutex = Mutex::new(0u64)?;
                pairs(|| drop(black_box(black_box(&mutex).lock())))
            }
            What::Counter => counter()?,
            What::Event { cross } => events(cross)?,
            What::Condition { cross } => conditions(cross)?,
            What::Death => several(death)?,
        }])
    }

    fn limit(&mut self) -> Result<Figures> {
        Ok(vec![match self.0 {
            What::Lock | What::RLock => raw::compare_exchange_pair(PAIRS)?,
            What::Mutex => raw::robust_pair(PAIRS)?,
            What::Counter => raw::counter(ADDITIONS)?,
            What::Event { cross } | What::Condition { cross } => raw::round_trip(TRIPS, cross)?,
            What::Death => several(|| Ok(raw::death()?))?,
        }])
    }
}

fn pairs(mut pair: impl FnMut()) -> f64 {
    let begin = Instant::now();
    for _ in 0..PAIRS {
        pair();
    }
    begin.elapsed().as_secs_f64() * 1e9 / f64::from(PAIRS)
}

fn several(mut one: impl FnMut() -> Result<f64>) -> Result<f64> {
    Ok(median((0..DEATHS).map(|_| one()).collect::<Result<_>>()?))
}

fn counter() -> Result<f64> {
    // A plain value that only the lock guards.
    let (lock, sum, go) = (Lock::new()?, RawValue::new(0u64)?, Event::new()?);
    let args = (lock.clone(), sum.clone(), go.clone());
    let other = Context::fork().start(add_when_told, args)?;
    pin_to_number(0)?;
    std::thread::sleep(Duration::from_millis(5));
    let begin = Instant::now();
    go.set();
    add(&lock, &sum)?;
    other.join()?;
    let took = begin.elapsed().as_secs_f64();
    Ok(sum.get() as f64 / took / 1e6)
}

fn add(lock: &Lock, sum: &RawValue<u64>) -> Result<()> {
    for _ in 0..ADDITIONS {
        lock.acquire()?;
        sum.set(sum.get() + 1);
        lock.release()?;
    }
    Ok(())
}

fn add_when_told(lock: Lock, sum: RawValue<u64>, go: Event) {
    let _ = pin_to_number(1);
    let _ = go.wait();
    let _ = add(&lock, &sum);
}

fn events(cross: bool) -> Result<f64> {
    let (there, back) = (Event::new()?, Event::new()?);
    pin_to_number(0)?;
    let other = Context::fork().start(answer_events, (there.clone(), back.clone(), cross))?;
    let begin = Instant::now();
    for _ in 0..TRIPS {
        there.set();
        back.wait()?;
        back.clear();
    }
    let figure = begin.elapsed().as_secs_f64() * 1e6 / f64::from(TRIPS);
    other.join()?;
    Ok(figure)
}

fn answer_events(there: Event, back: Event, cross: bool) {
    let _ = pin_to_number(usize::from(cross));
    for _ in 0..TRIPS {
        let _ = there.wait();
        there.clear();
        back.set();
    }
}

fn conditions(cross: bool) -> Result<f64> {
    let (condition, turn) = (Condition::with_lock(Lock::new()?)?, Mutex::new(0u32)?);
    pin_to_number(0)?;
    let args = (condition.clone(), turn.clone(), cross);
    let other = Context::fork().start(answer_conditions, args)?;
    let begin = Instant::now();
    for _ in 0..TRIPS {
        take_turn(&condition, &turn, 0)?;
    }
    let figure = begin.elapsed().as_secs_f64() * 1e6 / f64::from(TRIPS);
    other.join()?;
    Ok(figure)
}

/// Waits until it is this side's turn, and hands the turn over.
fn take_turn(condition: &Condition, turn: &Mutex<u32>, side: u32) -> Result<()> {
    let _guard = condition.guard()?;
    condition.wait_for(|| turn.lock().is_ok_and(|turn| *turn == side))?;
    *turn.lock()? = 1 - side;
    condition.notify(1)?;
    Ok(())
}

fn answer_conditions(condition: Condition, turn: Mutex<u32>, cross: bool) {
    let _ = pin_to_number(usize::from(cross));
    for _ in 0..TRIPS {
        let _ = take_turn(&condition, &turn, 1);
    }
}

fn death() -> Result<f64> {
    let (lock, ready) = (Lock::new()?, Event::new()?);
    let holder = Context::fork().start(hold, (lock.clone(), ready.clone()))?;
    ready.wait()?;
    let waiter = Context::fork().start(own, (lock,))?;
    std::thread::sleep(Duration::from_millis(5));
    let killed = now_us();
    holder.kill()?;
    let owned = waiter.result()?;
    holder.join()?;
    Ok(owned - killed)
}

fn hold(lock: Lock, ready: Event) {
    let _ = lock.acquire();
    ready.set();
    std::thread::sleep(Duration::from_secs(60));
}

fn own(lock: Lock) -> f64 {
    let _ = lock.acquire();
    now_us()
}
