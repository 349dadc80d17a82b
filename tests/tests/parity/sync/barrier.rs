//! Behaviours: barrier.* of docs/parity.tsv.
//!
//! - DIFFERENCE: no parties are refused, which Python does for threads only.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use multiproc::{
    Barrier, Context, Function, Lock, Mutex, Process, connection::Sender, simplex,
    synchronize::BarrierError,
};
use multiproc_tests::TestResult;
use serde::{Serialize, de::DeserializeOwned};

use super::{another, sent};

const PARTIES: u32 = 5;

multiproc_tests::each_start_method! {
    parties_pass_in_lockstep,
    every_pass_gives_each_its_index,
    action_runs_once_a_pass_before_anybody_goes_on,
    abort_breaks_it_for_all,
    reset_frees_those_who_wait,
    late_party_breaks_it_for_all,
    a_thousand_passes,
}
multiproc_tests::once! {
    single_party_never_waits,
    broken_barrier_stays_so_until_reset,
    no_parties_are_refused,
    panicking_action_breaks_it,
    debug_form_tells_who_waits,
}

/// Runs `party` in five processes, and returns what they return.
fn together<F, Args, R>(
    ctx: &Context,
    party: F,
    args: impl Fn(u32) -> Args,
) -> Result<Vec<R>, Box<dyn std::error::Error>>
where
    F: Function<Args, Output = R> + Copy,
    Args: Serialize + DeserializeOwned + Send + 'static,
    R: Serialize + DeserializeOwned,
{
    let start = |number| ctx.process().daemon(true).start(party, args(number));
    let parties: Vec<Process<R>> = (0..PARTIES).map(start).collect::<Result<_, _>>()?;
    Ok(parties.iter().map(Process::result).collect::<Result<_, _>>()?)
}

// parity: barrier.lockstep, barrier.ten-passes, barrier.parties
fn parties_pass_in_lockstep(ctx: &Context) -> TestResult {
    let (barrier, inside) = (Barrier::new(PARTIES)?, Mutex::new(0u32)?);
    assert_eq!(barrier.parties(), PARTIES);
    together(ctx, step, |_| (barrier.clone(), inside.clone()))?;
    assert_eq!((barrier.n_waiting(), barrier.broken(), *inside.lock()?), (0, false, 10 * PARTIES));
    assert_eq!(barrier.parties(), PARTIES);
    Ok(())
}

fn step(barrier: Barrier, entered: Mutex<u32>) {
    for pass in 0..10 {
        *entered.lock().unwrap() += 1;
        barrier.wait().unwrap();
        let now = *entered.lock().unwrap();
        assert!((pass + 1) * PARTIES <= now, "somebody left before all had entered");
        assert!(now < (pass + 2) * PARTIES, "somebody was here twice in one pass");
    }
}

// parity: barrier.wait-index
fn every_pass_gives_each_its_index(ctx: &Context) -> TestResult {
    let barrier = Barrier::new(PARTIES)?;
    let of_each = together(ctx, indices, |_| (barrier.clone(),))?;
    for pass in 0..20 {
        let mut here: Vec<u32> = of_each.iter().map(|indices| indices[pass]).collect();
        here.sort_unstable();
        assert_eq!(here, [0, 1, 2, 3, 4]);
    }
    Ok(())
}

fn indices(barrier: Barrier) -> Vec<u32> {
    (0..20).map(|_| barrier.wait().unwrap()).collect()
}

// parity: barrier.action-once
fn action_runs_once_a_pass_before_anybody_goes_on(ctx: &Context) -> TestResult {
    let barrier = Barrier::builder(PARTIES).action(act).build()?;
    let counts = together(ctx, act_and_count, |_| (barrier.clone(),))?;
    assert_eq!(counts.iter().sum::<u32>(), 3, "once a pass: {counts:?}");
    Ok(())
}

static ACTED: AtomicU32 = AtomicU32::new(0);

fn act() {
    ACTED.fetch_add(1, Ordering::Relaxed);
}

/// Passes three times, and returns how often the action has run in this process.
fn act_and_count(barrier: Barrier) -> u32 {
    let before = ACTED.load(Ordering::Relaxed);
    for _ in 0..3 {
        let acted = ACTED.load(Ordering::Relaxed);
        let index = barrier.wait().unwrap();
        let acts = u32::from(index == PARTIES - 1);
        assert_eq!(ACTED.load(Ordering::Relaxed), acted + acts, "before the wait is over");
    }
    ACTED.load(Ordering::Relaxed) - before
}

// parity: barrier.abort
fn abort_breaks_it_for_all(ctx: &Context) -> TestResult {
    let barrier = Barrier::new(PARTIES)?;
    let broken = together(ctx, pass_then_abort, |number| (barrier.clone(), number))?;
    assert_eq!(broken.iter().filter(|broken| **broken).count(), 4);
    assert!(barrier.broken() && barrier.n_waiting() == 0);
    Ok(())
}

/// Passes once; then the first aborts, and the others wait again. Returns whether it was broken for this one.
fn pass_then_abort(barrier: Barrier, number: u32) -> bool {
    barrier.wait().unwrap();
    if number == 0 {
        barrier.abort();
        return false;
    }
    matches!(barrier.wait(), Err(BarrierError::Broken))
}

// parity: barrier.reset-frees-waiters, barrier.abort-then-reset
fn reset_frees_those_who_wait(ctx: &Context) -> TestResult {
    let (barrier, second) = (Barrier::new(PARTIES)?, Barrier::new(PARTIES)?);
    let freed =
        together(ctx, wait_and_be_freed, |number| (barrier.clone(), second.clone(), number))?;
    assert_eq!(freed.iter().filter(|freed| **freed).count(), 4);
    assert!(!barrier.broken() && barrier.n_waiting() == 0);
    Ok(())
}

fn wait_and_be_freed(barrier: Barrier, second: Barrier, number: u32) -> bool {
    let freed = if number == 0 {
        while barrier.n_waiting() < PARTIES - 1 {
            std::thread::yield_now();
        }
        barrier.reset();
        false
    } else {
        matches!(barrier.wait(), Err(BarrierError::Broken))
    };
    barrier.wait().unwrap();
    // Broken while nobody is inside, it lets all pass again after a reset.
    if second.wait().unwrap() == 0 {
        barrier.abort();
        assert!(barrier.broken());
        barrier.reset();
    }
    second.wait().unwrap();
    barrier.wait().unwrap();
    freed
}

// parity: barrier.wait-timeout
fn late_party_breaks_it_for_all(ctx: &Context) -> TestResult {
    let timeout = Duration::from_millis(200);
    let barrier = Barrier::builder(PARTIES).timeout(timeout).build()?;
    let broken = together(ctx, wait_late, |number| (barrier.clone(), number))?;
    assert_eq!(broken, [true; 5]);
    assert!(barrier.broken());
    Ok(())
}

fn wait_late(barrier: Barrier, number: u32) -> bool {
    while number == 0 && !barrier.broken() {
        std::thread::yield_now();
    }
    matches!(barrier.wait(), Err(BarrierError::Broken))
}

// parity: barrier.single-party
fn single_party_never_waits() -> TestResult {
    let barrier = sent(&Barrier::new(1)?)?;
    for _ in 0..3 {
        assert_eq!(barrier.wait()?, 0);
    }
    assert_eq!(barrier.wait_timeout(Duration::ZERO)?, 0);
    Ok(())
}

// parity: barrier.thousand-passes
fn a_thousand_passes(ctx: &Context) -> TestResult {
    let (barrier, lock) = (Barrier::new(PARTIES)?, Lock::new()?);
    let (heard, say) = simplex::<u32>()?;
    let start = |_| {
        let args = (barrier.clone(), lock.clone(), another(&say));
        ctx.process().daemon(true).start(pass_and_report, args)
    };
    let parties: Vec<Process<()>> = (0..PARTIES).map(start).collect::<Result<_, _>>()?;
    for pass in 0..1000 {
        for _ in 0..PARTIES {
            assert_eq!(heard.recv()?, pass);
        }
    }
    for party in parties {
        party.result()?;
    }
    Ok(())
}

fn pass_and_report(barrier: Barrier, lock: Lock, say: Sender<u32>) {
    for pass in 0..1000 {
        barrier.wait().unwrap();
        let _guard = lock.guard().unwrap();
        say.send(&pass).unwrap();
    }
}

// parity: barrier.broken-stays, misc.broken-barrier-kind
fn broken_barrier_stays_so_until_reset() -> TestResult {
    let barrier = Barrier::new(2)?;
    assert!(matches!(barrier.wait_timeout(Duration::ZERO), Err(BarrierError::Broken)));
    for _ in 0..3 {
        assert!(barrier.wait().unwrap_err().is_broken());
    }
    assert!(barrier.broken());
    barrier.reset();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| barrier.wait());
        assert!(barrier.wait().is_ok() && other.join().unwrap().is_ok());
    });
    Ok(())
}

// parity: barrier.parties-invalid
fn no_parties_are_refused() -> TestResult {
    let err = Barrier::new(0).unwrap_err();
    assert_eq!(err.to_string(), "a number of parties of 0: it has to be at least 1");
    Ok(())
}

fn panicking_action_breaks_it() -> TestResult {
    let barrier = Barrier::builder(1).action(|| panic!("on purpose")).build()?;
    let unwound = std::panic::catch_unwind(|| drop(barrier.wait()));
    assert!(unwound.is_err() && barrier.broken());
    Ok(())
}

// parity: barrier.repr
fn debug_form_tells_who_waits() -> TestResult {
    let barrier = Barrier::new(2)?;
    assert_eq!(format!("{barrier:?}"), "Barrier { waiting: 0, parties: 2, broken: false, .. }");
    barrier.abort();
    assert_eq!(format!("{barrier:?}"), "Barrier { waiting: 0, parties: 2, broken: true, .. }");
    Ok(())
}
