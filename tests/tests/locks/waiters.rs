//! Who waits for long, and who waits beside it.

use std::{
    env,
    process::Command,
    thread::{self, JoinHandle},
    time::Duration,
};

use multiproc::{Barrier, Condition, Event, Lock, Semaphore, synchronize::ConditionError};
use multiproc_tests::{
    TestResult, once,
    sleeping::{Sleeper, asleep, until_waiting, waiting},
};

once! {
    one_whose_time_is_over_takes_no_place_away,
    who_waits_sleeps,
}

/// How many can wait at once.
const ROOM: usize = 512;
/// Long enough for somebody else to take the lock meanwhile.
const SHORT: Duration = Duration::from_millis(50);

fn one_whose_time_is_over_takes_no_place_away() -> TestResult {
    let condition = Condition::with_lock(Lock::new()?)?;
    // As long as the first in the queue waits, the others get what places there are behind it.
    let first = thread::spawn({
        let condition = condition.clone();
        move || {
            let _guard = condition.guard()?;
            condition.wait()
        }
    });
    until_waiting(&condition, 1);
    for _ in 1..ROOM {
        assert!(!wait_for(&condition, Duration::ZERO)?);
    }
    let (short, guard) = loop {
        let short = thread::spawn({
            let condition = condition.clone();
            move || wait_for(&condition, SHORT)
        });
        while waiting(&condition) == 1 && !short.is_finished() {
            thread::yield_now();
        }
        let guard = condition.guard()?;
        if waiting(&condition) == 2 {
            break (short, guard);
        }
    };
    // Its time is over, and it waits for the lock; its place goes to this thread.
    until_waiting(&condition, 1);
    let judge = thread::spawn({
        let condition = condition.clone();
        move || -> Result<usize, ConditionError> {
            assert!(!short.join().expect("it does not panic")?, "it was not notified");
            let _guard = condition.guard()?;
            let left = waiting(&condition);
            condition.notify_all()?;
            Ok(left)
        }
    });
    condition.wait()?;
    drop(guard);
    assert_eq!(judge.join().expect("it does not panic")?, 2, "both kept their places");
    Ok(first.join().expect("it does not panic")?)
}

fn wait_for(condition: &Condition, timeout: Duration) -> Result<bool, ConditionError> {
    let _guard = condition.guard()?;
    condition.wait_timeout(timeout)
}

/// How often it is looked whether anybody has run, and for how long each time.
const LOOKS: u32 = 40;
const LOOK: Duration = Duration::from_millis(250);

/// Set in the program in which nobody else is.
const ALONE: &str = "MULTIPROC_TEST_ALONE";

fn who_waits_sleeps() -> TestResult {
    if env::var_os(ALONE).is_some() {
        return be_calm();
    }
    // Of the processes of these tests the kernel does not watch all, so in their family everybody looks around often.
    let mut command = Command::new(env::current_exe()?);
    command.args(["--exact", "waiters::who_waits_sleeps::once"]).env(ALONE, "1");
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    Ok(())
}

fn be_calm() -> TestResult {
    let (lock, semaphore, event) = (Lock::new()?, Semaphore::new(0)?, Event::new()?);
    let (condition, barrier) = (Condition::new()?, Barrier::new(2)?);
    lock.acquire()?;
    let start = |wait: Box<dyn FnOnce() + Send>| asleep(wait);
    let waiters: [(JoinHandle<()>, Sleeper); 5] = [
        start({
            let lock = lock.clone();
            Box::new(move || drop(lock.guard().unwrap()))
        }),
        start({
            let semaphore = semaphore.clone();
            Box::new(move || semaphore.acquire().unwrap())
        }),
        start({
            let event = event.clone();
            Box::new(move || event.wait().unwrap())
        }),
        start({
            let condition = condition.clone();
            Box::new(move || {
                let _guard = condition.guard().unwrap();
                condition.wait().unwrap();
            })
        }),
        start({
            let barrier = barrier.clone();
            Box::new(move || {
                barrier.wait().unwrap();
            })
        }),
    ];
    // They look around by themselves, more and more seldom, and not all at one time.
    let mut restless: Vec<&Sleeper> = waiters.iter().map(|(_, waiter)| waiter).collect();
    for _ in 0..LOOKS {
        let before: Vec<String> =
            restless.iter().map(|waiter| waiter.switches()).collect::<Result<_, _>>()?;
        thread::sleep(LOOK);
        let mut before = before.into_iter();
        restless.retain(|waiter| waiter.switches().ok() != before.next());
        if restless.is_empty() {
            break;
        }
    }
    assert!(restless.is_empty(), "{} go on running", restless.len());
    lock.release()?;
    semaphore.release()?;
    event.set();
    {
        let _guard = condition.guard()?;
        condition.notify_all()?;
    }
    barrier.wait()?;
    for (waiter, _) in waiters {
        waiter.join().expect("it does not panic");
    }
    Ok(())
}
