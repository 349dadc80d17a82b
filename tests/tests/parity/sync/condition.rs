//! Behaviours: condition.* of docs/parity.tsv.
//!
//! Six waiters are three processes and three threads, as in Python's tests.

use std::{error::Error, thread::JoinHandle, time::Duration};

use multiproc::{
    Condition, Context, Lock, Mutex, Process, RLock,
    connection::{Receiver, Sender},
    simplex,
    synchronize::ConditionError,
};
use multiproc_tests::{
    TestResult, interrupts,
    sleeping::{until_waiting, waiting},
};
use rustix::process::{Pid, Signal, kill_process};

use super::{SHORT, another, sent, takes_its_time, until_asleep};

multiproc_tests::each_start_method! {
    each_notify_wakes_one,
    all_time_out_and_leave_nothing,
    notify_all_wakes_those_that_wait,
    notify_n_wakes_n,
    waits_for_a_value,
    useless_notifies_do_not_end_a_wait_for,
    wait_tells_whether_it_was_notified,
    sigint_ends_a_process_that_waits,
}
multiproc_tests::once! {
    timeout_is_kept_and_the_lock_held_again,
    without_the_lock_nothing_is_done,
    predicate_that_holds_is_not_waited_for,
    any_lock_may_be_given,
    guard_holds_the_lock,
    debug_form_shows_lock_and_waiters,
}

/// Waits and says what came of it.
fn sleeper(condition: Condition, woken: Sender<bool>, timeout: Option<Duration>) {
    let _guard = condition.guard().unwrap();
    let notified = match timeout {
        Some(timeout) => condition.wait_timeout(timeout).unwrap(),
        None => condition.wait().map(|()| true).unwrap(),
    };
    woken.send(&notified).unwrap();
}

/// Who waits, and what they say.
struct Sleepers {
    processes: Vec<Process<()>>,
    threads: Vec<JoinHandle<()>>,
    woken: Receiver<bool>,
}

fn sleepers(
    ctx: &Context,
    condition: &Condition,
    count: usize,
    timeout: Option<Duration>,
) -> Result<Sleepers, Box<dyn Error>> {
    let (woken, say) = simplex::<bool>()?;
    let mut processes = Vec::new();
    let mut threads = Vec::new();
    for number in 0..count {
        let (condition, say) = (condition.clone(), another(&say));
        if number % 2 == 0 {
            let args = (condition, say, timeout);
            processes.push(ctx.process().daemon(true).start(sleeper, args)?);
        } else {
            threads.push(std::thread::spawn(move || sleeper(condition, say, timeout)));
        }
    }
    Ok(Sleepers { processes, threads, woken })
}

impl Sleepers {
    fn are_woken(&self, count: usize) -> TestResult {
        for _ in 0..count {
            assert!(self.woken.recv()?);
        }
        Ok(())
    }

    fn end(self) -> TestResult {
        for process in &self.processes {
            process.result()?;
        }
        for thread in self.threads {
            thread.join().unwrap();
        }
        assert!(self.woken.try_recv().is_err(), "nobody was woken twice");
        Ok(())
    }
}

fn notify(condition: &Condition, count: u32) -> TestResult {
    let _guard = condition.guard()?;
    condition.notify(count)?;
    Ok(())
}

// parity: condition.notify-one
fn each_notify_wakes_one(ctx: &Context) -> TestResult {
    let condition = Condition::new()?;
    let all = sleepers(ctx, &condition, 2, None)?;
    until_waiting(&condition, 2);
    assert!(all.woken.try_recv().is_err());
    for left in [1, 0] {
        notify(&condition, 1)?;
        all.are_woken(1)?;
        assert_eq!(waiting(&condition), left);
        assert!(all.woken.try_recv().is_err());
    }
    all.end()
}

// parity: condition.timeouts-clear
fn all_time_out_and_leave_nothing(ctx: &Context) -> TestResult {
    let condition = Condition::new()?;
    let all = sleepers(ctx, &condition, 6, Some(SHORT))?;
    for _ in 0..6 {
        assert!(!all.woken.recv()?);
    }
    all.end()?;
    assert_eq!(waiting(&condition), 0);
    notify(&condition, 6)?;
    let _guard = condition.guard()?;
    assert!(!condition.wait_timeout(Duration::ZERO)?, "nothing is left to be woken by");
    Ok(())
}

// parity: condition.notify-all
fn notify_all_wakes_those_that_wait(ctx: &Context) -> TestResult {
    let condition = Condition::new()?;
    let all = sleepers(ctx, &condition, 6, None)?;
    until_waiting(&condition, 6);
    {
        let _guard = condition.guard()?;
        condition.notify_all()?;
        assert!(!condition.wait_timeout(Duration::ZERO)?, "not those that come later");
    }
    all.are_woken(6)?;
    all.end()
}

// parity: condition.notify-n
fn notify_n_wakes_n(ctx: &Context) -> TestResult {
    let condition = Condition::new()?;
    let all = sleepers(ctx, &condition, 6, None)?;
    until_waiting(&condition, 6);
    for (count, left) in [(2, 4), (4, 0)] {
        notify(&condition, count)?;
        all.are_woken(count as usize)?;
        assert_eq!(waiting(&condition), left);
        assert!(all.woken.try_recv().is_err());
    }
    notify(&condition, 3)?;
    all.end()
}

// parity: condition.wait-timeout
fn timeout_is_kept_and_the_lock_held_again() -> TestResult {
    let lock = Lock::new()?;
    let condition = sent(&Condition::with_lock(lock.clone())?)?;
    let _guard = condition.guard()?;
    assert!(!takes_its_time(|| condition.wait_timeout(SHORT))?);
    assert!(lock.locked());
    Ok(())
}

// parity: condition.wait-for-value
fn waits_for_a_value(ctx: &Context) -> TestResult {
    let (condition, value) = (Condition::new()?, Mutex::new(-1i32)?);
    let args = (condition.clone(), value.clone());
    let child = ctx.process().daemon(true).start(begin_and_wait_for_four, args)?;
    {
        let _guard = condition.guard()?;
        condition.wait_for(|| *value.lock().unwrap() == 0)?;
    }
    for _ in 0..4 {
        let _guard = condition.guard()?;
        *value.lock()? += 1;
        condition.notify(1)?;
    }
    child.result()?;
    assert_eq!(child.exitcode(), Some(0));
    Ok(())
}

fn begin_and_wait_for_four(condition: Condition, value: Mutex<i32>) {
    let _guard = condition.guard().unwrap();
    *value.lock().unwrap() = 0;
    condition.notify(1).unwrap();
    condition.wait_for(|| *value.lock().unwrap() == 4).unwrap();
}

// parity: condition.wait-for-timeout, condition.wait-for-last-value
fn useless_notifies_do_not_end_a_wait_for(ctx: &Context) -> TestResult {
    let condition = Condition::new()?;
    let guard = condition.guard()?;
    let child = ctx.process().daemon(true).start(notify_again_and_again, (condition.clone(),))?;
    // The child may take longer than that to come to life.
    loop {
        let mut looks = 0;
        let never = || {
            looks += 1;
            false
        };
        assert!(!takes_its_time(|| condition.wait_for_timeout(never, SHORT))?);
        // Before the wait, when it was over, and at least once between: notified in vain.
        if 2 < looks {
            break;
        }
    }
    drop(guard);
    child.kill()?;
    child.join()?;
    Ok(())
}

fn notify_again_and_again(condition: Condition) {
    loop {
        let _guard = condition.guard().unwrap();
        condition.notify(1).unwrap();
    }
}

// parity: condition.wait-result
fn wait_tells_whether_it_was_notified(ctx: &Context) -> TestResult {
    let condition = Condition::new()?;
    let _guard = condition.guard()?;
    assert!(!condition.wait_timeout(Duration::ZERO)? && !condition.wait_timeout(SHORT)?);
    let child =
        ctx.start(|condition: Condition| notify(&condition, 1).unwrap(), (condition.clone(),))?;
    assert!(condition.wait_timeout(Duration::from_secs(60))?);
    child.result()?;
    Ok(())
}

// parity: condition.wait-sigint
fn sigint_ends_a_process_that_waits(ctx: &Context) -> TestResult {
    let condition = Condition::new()?;
    let child = ctx.process().daemon(true).start(wait_for_a_minute, (condition.clone(),))?;
    until_waiting(&condition, 1);
    until_asleep(&child);
    kill_process(Pid::from_raw(child.pid().unwrap().cast_signed()).unwrap(), Signal::INT)?;
    child.join()?;
    assert_eq!(child.exitcode(), Some(-libc::SIGINT));
    assert_eq!(waiting(&condition), 0);
    Ok(())
}

fn wait_for_a_minute(condition: Condition) {
    interrupts::heed();
    let _guard = condition.guard().unwrap();
    let _ = condition.wait_timeout(Duration::from_secs(60));
}

// parity: condition.not-owned-errors
fn without_the_lock_nothing_is_done() -> TestResult {
    for condition in [Condition::new()?, Condition::with_lock(Lock::new()?)?] {
        assert!(matches!(condition.wait(), Err(ConditionError::NotOwned)));
        assert!(matches!(condition.wait_timeout(SHORT), Err(ConditionError::NotOwned)));
        assert!(matches!(condition.notify(1), Err(ConditionError::NotOwned)));
        assert!(matches!(condition.notify_all(), Err(ConditionError::NotOwned)));
        let _guard = condition.guard()?;
        let meddle =
            std::thread::scope(|scope| scope.spawn(|| condition.notify(1)).join().unwrap());
        assert!(matches!(meddle, Err(ConditionError::NotOwned)), "another thread has it");
    }
    Ok(())
}

// parity: condition.wait-for-immediate
fn predicate_that_holds_is_not_waited_for() -> TestResult {
    let condition = Condition::new()?;
    let _guard = condition.guard()?;
    condition.wait_for(|| true)?;
    assert!(condition.wait_for_timeout(|| true, Duration::ZERO)?);
    Ok(())
}

// parity: condition.given-lock
fn any_lock_may_be_given() -> TestResult {
    let (plain, nested) = (Lock::new()?, RLock::new()?);
    let condition = Condition::with_lock(plain.clone())?;
    condition.acquire()?;
    assert!(plain.locked() && condition.try_acquire()?.is_none());
    condition.release()?;
    let condition = Condition::with_lock(nested.clone())?;
    condition.acquire()?;
    assert!(condition.acquire_timeout(Duration::ZERO)?.is_some());
    assert!(!condition.wait_timeout(Duration::ZERO)?);
    condition.release()?;
    assert!(nested.locked(), "a wait leaves the level as it was");
    condition.release()?;
    assert!(!nested.locked());
    let own = Condition::new()?;
    own.acquire()?;
    assert!(own.try_acquire()?.is_some(), "its own is reentrant");
    Ok(())
}

// parity: condition.scope-guard
fn guard_holds_the_lock() -> TestResult {
    let lock = Lock::new()?;
    let condition = Condition::with_lock(lock.clone())?;
    let guard = condition.guard()?;
    assert!(lock.locked() && !guard.acquired().owner_died());
    drop(guard);
    assert!(!lock.locked());
    Ok(())
}

// parity: condition.repr
fn debug_form_shows_lock_and_waiters() -> TestResult {
    let condition = Condition::new()?;
    let shown = "Condition { lock: RLock { owner: None, level: 0 }, waiting: 0 }";
    assert_eq!(format!("{condition:?}"), shown);
    Ok(())
}
