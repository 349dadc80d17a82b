//! Scenes of locks, and of the table that names their holders.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use multiproc::{
    Lock, Mutex, RLock,
    synchronize::{Acquired, MutexError},
};
use multiproc_tests::step::{Victim, mark};

use crate::{
    Outcome,
    dependants::{Dependants, run, run_to, victim},
};

/// The lock can be had, by one after the other.
pub(crate) fn is_usable(lock: &Lock) -> Outcome {
    for _ in 0..2 {
        lock.acquire()?;
        lock.release()?;
    }
    assert!(!lock.locked() && lock.acquire()? == Acquired::Orderly);
    Ok(lock.release()?)
}

/// Killed anywhere in acquire and release, while two come.
pub(crate) fn lock(point: usize) -> Outcome {
    let lock = Lock::new()?;
    let mut victim = victim(
        || (),
        || {
            lock.acquire().expect("a free lock");
            lock.release().expect("it is held");
        },
    )?;
    run_to(&mut victim, point);
    let waiters = Dependants::start(2, {
        let lock = lock.clone();
        move || drop(lock.guard().expect("it is given back, or its holder dies"))
    });
    waiters.until_asleep();
    victim.kill();
    waiters.join();
    is_usable(&lock)?;
    Ok(())
}

/// Killed anywhere in a release that two sleep for.
pub(crate) fn lock_release(point: usize) -> Outcome {
    let lock = Lock::new()?;
    let take = || drop(lock.acquire());
    let mut victim = victim(take, || lock.release().expect("it is held"))?;
    let waiters = Dependants::start(2, {
        let lock = lock.clone();
        move || drop(lock.guard().expect("it is given back, or its holder dies"))
    });
    waiters.until_asleep();
    run_to(&mut victim, point);
    victim.kill();
    waiters.join();
    is_usable(&lock)?;
    Ok(())
}

/// Killed anywhere in a wait for the lock and the use of it, while another waits behind.
pub(crate) fn lock_wait(point: usize) -> Outcome {
    let lock = Lock::new()?;
    lock.acquire()?;
    let mut victim = victim(
        || (),
        || {
            lock.acquire().expect("it is given back");
            lock.release().expect("it is held");
        },
    )?;
    let (mut waiters, given) = (None, AtomicUsize::new(0));
    run(&mut victim, point, || {
        let behind = Dependants::start(1, {
            let lock = lock.clone();
            move || drop(lock.guard().expect("it is given back, or its holder dies"))
        });
        behind.until_asleep();
        waiters = Some(behind);
        lock.release().expect("it is held");
        given.store(1, SeqCst);
    });
    victim.kill();
    if given.load(SeqCst) == 0 {
        lock.release()?;
    }
    if let Some(waiters) = waiters {
        waiters.join();
    }
    is_usable(&lock)?;
    Ok(())
}

/// Killed anywhere in taking a reentrant lock twice and giving it back, while two come.
pub(crate) fn rlock(point: usize) -> Outcome {
    let lock = RLock::new()?;
    let mut victim = victim(
        || (),
        || {
            let (_outer, _inner) = (lock.guard(), lock.guard());
        },
    )?;
    run_to(&mut victim, point);
    let waiters = Dependants::start(2, {
        let lock = lock.clone();
        move || {
            let _outer = lock.guard().expect("it is given back, or its holder dies");
            lock.acquire().expect("it is held");
            lock.release().expect("it is held");
        }
    });
    waiters.until_asleep();
    victim.kill();
    waiters.join();
    lock.acquire()?;
    lock.release()?;
    assert!(!lock.locked());
    Ok(())
}

/// Killed anywhere in changing both halves of a value: nobody sees the halves differ without being told.
pub(crate) fn mutex(point: usize) -> Outcome {
    let value = Mutex::new([7u64, 7])?;
    let mut victim = victim(
        || (),
        || {
            let mut halves = value.lock().expect("a free lock");
            halves[0] += 1;
            std::hint::black_box(&mut halves)[1] += 1;
        },
    )?;
    run_to(&mut victim, point);
    victim.kill();
    match value.lock() {
        Ok(halves) => assert_eq!(halves[0], halves[1]),
        Err(MutexError::OwnerDied) => {
            assert!(value.is_in_doubt() && value.lock().is_err(), "until it is repaired");
            let halves = value.lock_or_repair(|halves| halves[1] = halves[0])?;
            assert!(halves[0] == halves[1] && (7..=8).contains(&halves[0]));
        }
        Err(err) => return Err(err.into()),
    }
    let halves = *value.lock()?;
    assert_eq!(halves[0], halves[1]);
    Ok(())
}

/// Killed anywhere in taking an entry of the table, taking a lock, and giving it back.
pub(crate) fn entry(point: usize) -> Outcome {
    let lock = Lock::new()?;
    let mut victim = Victim::fork(|| {
        mark();
        lock.acquire().expect("a free lock");
        lock.release().expect("it is held");
        mark();
    })?;
    run_to(&mut victim, point);
    let waiters = Dependants::start(1, {
        let lock = lock.clone();
        move || drop(lock.guard().expect("it is given back, or its holder dies"))
    });
    waiters.until_asleep();
    victim.kill();
    waiters.join();
    is_usable(&lock)?;
    // The next to come takes an entry as well.
    drop(Victim::fork(|| {
        drop(lock.guard());
        mark();
    })?);
    Ok(())
}
