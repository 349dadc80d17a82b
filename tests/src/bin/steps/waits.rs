//! Scenes of waiting for something else than a lock.

use multiproc::{
    Barrier, BoundedSemaphore, Condition, Event, Lock, Semaphore,
    synchronize::{Acquired, BarrierError, ConditionError},
};
use multiproc_tests::sleeping::{until_waiting, waiting};

use crate::{
    Outcome,
    dependants::{Dependants, run, run_to, until, victim},
};

/// What semaphores of both kinds do.
pub(crate) trait Permits: Clone + Send + Sync + 'static {
    /// Without permits.
    fn none() -> Result<Self, Box<dyn std::error::Error>>;
    fn take(&self);
    fn give(&self);
    fn left(&self) -> u32;
}

impl Permits for Semaphore {
    fn none() -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self::new(0)?)
    }

    fn take(&self) {
        self.acquire().expect("a permit is given");
    }

    fn give(&self) {
        self.release().expect("there is room");
    }

    fn left(&self) -> u32 {
        self.get_value()
    }
}

impl Permits for BoundedSemaphore {
    fn none() -> Result<Self, Box<dyn std::error::Error>> {
        let semaphore = Self::new(3)?;
        (0..3).for_each(|_| semaphore.take());
        Ok(semaphore)
    }

    fn take(&self) {
        self.acquire().expect("a permit is given");
    }

    fn give(&self) {
        self.release().expect("it was taken");
    }

    fn left(&self) -> u32 {
        self.get_value()
    }
}

pub(crate) fn takers(semaphore: &impl Permits, count: usize) -> Dependants {
    let semaphore = semaphore.clone();
    Dependants::start(count, move || semaphore.take())
}

/// Killed anywhere in giving a permit that two sleep for.
pub(crate) fn release<S: Permits>(point: usize) -> Outcome {
    let semaphore = S::none()?;
    let mut victim = victim(|| (), || semaphore.give())?;
    let waiters = takers(&semaphore, 2);
    waiters.until_asleep();
    run_to(&mut victim, point);
    victim.kill();
    // Was it given, somebody gets it without anybody's help.
    until(|| semaphore.left() == 0);
    semaphore.give();
    semaphore.give();
    waiters.join();
    assert!(semaphore.left() <= 1);
    Ok(())
}

/// Killed anywhere in waiting for a permit, while another waits behind.
pub(crate) fn wait<S: Permits>(point: usize) -> Outcome {
    let semaphore = S::none()?;
    let mut victim = victim(|| (), || semaphore.take())?;
    let mut behind = None;
    run(&mut victim, point, || {
        let waiters = takers(&semaphore, 1);
        waiters.until_asleep();
        behind = Some(waiters);
        semaphore.give();
    });
    victim.kill();
    if let Some(behind) = behind {
        // The victim has taken the permit along, or the other gets it.
        until(|| semaphore.left() == 0);
        semaphore.give();
        behind.join();
    }
    assert!(semaphore.left() <= 1);
    Ok(())
}

pub(crate) fn watchers(event: &Event, count: usize) -> Dependants {
    let event = event.clone();
    Dependants::start(count, move || event.wait().expect("it is set"))
}

/// Killed anywhere in setting an event that two sleep for.
pub(crate) fn event_set(point: usize) -> Outcome {
    let event = Event::new()?;
    let mut victim = victim(|| (), || event.set())?;
    let waiters = watchers(&event, 2);
    waiters.until_asleep();
    run_to(&mut victim, point);
    victim.kill();
    // A look at its end first: what it did last may not have been seen yet.
    drop(victim);
    if !event.is_set() {
        event.set();
    }
    waiters.join();
    Ok(())
}

/// Killed anywhere in waiting for an event, while another waits behind.
pub(crate) fn event_wait(point: usize) -> Outcome {
    let event = Event::new()?;
    let mut victim = victim(|| (), || event.wait().expect("it is set"))?;
    let mut behind = None;
    run(&mut victim, point, || {
        let waiters = watchers(&event, 2);
        waiters.until_asleep();
        behind = Some(waiters);
        event.set();
    });
    victim.kill();
    if let Some(behind) = behind {
        behind.join();
    }
    Ok(())
}

pub(crate) fn sleepers(condition: &Condition, count: usize) -> Dependants {
    let mine = condition.clone();
    let all = Dependants::start(count, move || {
        let _guard = mine.guard().expect("a lock");
        match mine.wait() {
            Ok(()) | Err(ConditionError::OwnerDied { notified: true }) => {}
            other => other.expect("it is notified"),
        }
    });
    until_waiting(condition, count);
    all
}

pub(crate) fn notify_all(condition: &Condition) -> Outcome {
    let _guard = condition.guard()?;
    Ok(condition.notify_all()?)
}

/// Killed anywhere in notifying one of two, and giving the lock back.
pub(crate) fn condition_notify(point: usize) -> Outcome {
    let condition = Condition::new()?;
    let waiters = sleepers(&condition, 2);
    waiters.until_asleep();
    let take = || drop(condition.acquire());
    let mut victim = victim(take, || {
        condition.notify(1).expect("the lock is held");
        condition.release().expect("the lock is held");
    })?;
    run_to(&mut victim, point);
    victim.kill();
    drop(victim);
    if waiting(&condition) < 2 {
        // Somebody was notified, and goes on without anybody's help.
        until(|| waiters.served() == 1);
    }
    notify_all(&condition)?;
    waiters.join();
    assert_eq!(waiting(&condition), 0);
    Ok(())
}

/// Killed anywhere in taking the lock, notifying one of two who watch it, who is to be woken by the release, and giving
/// the lock back.
pub(crate) fn condition_hand_over(point: usize) -> Outcome {
    let condition = Condition::new()?;
    let first = sleepers(&condition, 1);
    first.until_asleep();
    let notify = || {
        condition.acquire().expect("a lock");
        condition.notify(1).expect("the lock is held");
        condition.release().expect("the lock is held");
    };
    // Who waits from now on watches the one that has notified somebody.
    let mut victim = victim(notify, notify)?;
    first.join();
    let waiters = sleepers(&condition, 2);
    waiters.until_asleep();
    run_to(&mut victim, point);
    victim.kill();
    drop(victim);
    if waiting(&condition) < 2 {
        // Somebody was notified, and goes on without anybody's help.
        until(|| waiters.served() == 1);
    }
    notify_all(&condition)?;
    waiters.join();
    assert_eq!(waiting(&condition), 0);
    Ok(())
}

/// Killed anywhere in a wait that is notified, while two wait behind: if it had not yet gone on, another goes in its place.
pub(crate) fn condition_wait(point: usize) -> Outcome {
    be_notified(point, &Condition::with_lock(Lock::new()?)?)
}

/// The same, where the victim watches who notifies it, and is woken by the release.
pub(crate) fn condition_wait_moved(point: usize) -> Outcome {
    let condition = Condition::with_lock(Lock::new()?)?;
    let first = sleepers(&condition, 1);
    first.until_asleep();
    notify_all(&condition)?;
    first.join();
    be_notified(point, &condition)
}

fn be_notified(point: usize, condition: &Condition) -> Outcome {
    let take = || drop(condition.acquire());
    let mut victim = victim(take, || condition.wait().expect("it is notified"))?;
    let mut behind = None;
    run(&mut victim, point, || {
        // The first in the queue is the victim.
        let all = Dependants::start(2, {
            let condition = condition.clone();
            move || {
                let _guard = condition.guard().expect("a lock");
                match condition.wait() {
                    Ok(()) | Err(ConditionError::OwnerDied { notified: true }) => {}
                    other => other.expect("it is notified"),
                }
            }
        });
        until_waiting(condition, 3);
        all.until_asleep();
        behind = Some(all);
        let _guard = condition.guard().expect("a lock");
        condition.notify(1).expect("the lock is held");
    });
    victim.kill();
    drop(victim);
    if let Some(behind) = behind {
        if behind.served() == 0 && condition.acquire()? == Acquired::Orderly {
            condition.release()?;
            // It did not hold the lock again, so it had not gone on.
            until(|| behind.served() == 1);
        } else if behind.served() == 0 {
            condition.release()?;
        }
        notify_all(condition)?;
        behind.join();
    }
    assert_eq!(waiting(condition), 0);
    Ok(())
}

pub(crate) fn parties(barrier: &Barrier, count: usize) -> Dependants {
    let barrier = barrier.clone();
    Dependants::start(count, move || match barrier.wait() {
        Ok(_) | Err(BarrierError::Abandoned) => {}
        Err(err) => panic!("{err}"),
    })
}

/// Killed anywhere in coming to a barrier where one waits and another is missing.
pub(crate) fn barrier_wait(point: usize) -> Outcome {
    let barrier = Barrier::new(3)?;
    let mut victim = victim(|| (), || drop(barrier.wait()))?;
    let waiters = parties(&barrier, 1);
    until(|| barrier.n_waiting() == 1);
    waiters.until_asleep();
    let mut third = None;
    run(&mut victim, point, || third = Some(parties(&barrier, 1)));
    victim.kill();
    drop(victim);
    if let Some(third) = third {
        third.join();
        waiters.join();
        return Ok(());
    }
    if barrier.n_waiting() == 1 && !barrier.broken() {
        // It had not come: two others make the barrier whole.
        let others = parties(&barrier, 1);
        barrier.wait()?;
        others.join();
    }
    waiters.join();
    Ok(())
}

/// Killed anywhere in coming as the last to a barrier where two wait.
pub(crate) fn barrier_last(point: usize) -> Outcome {
    let barrier = Barrier::new(3)?;
    let mut victim = victim(|| (), || drop(barrier.wait()))?;
    let waiters = parties(&barrier, 2);
    until(|| barrier.n_waiting() == 2);
    waiters.until_asleep();
    run_to(&mut victim, point);
    victim.kill();
    drop(victim);
    if barrier.n_waiting() == 2 && !barrier.broken() && waiters.served() == 0 {
        barrier.wait()?;
    }
    waiters.join();
    Ok(())
}
