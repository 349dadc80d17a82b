//! Locks, semaphores, conditions, events and barriers.

use std::{thread, time::Duration};

use multiproc::{
    Context, Failure, Manager,
    managers::{
        BarrierProxy, CallError, ConditionProxy, EventProxy, LockProxy, RLockProxy, SemaphoreProxy,
        ValueProxy,
    },
};
use multiproc_tests::{TestResult, each_start_method, once};

const MOMENT: Duration = Duration::from_millis(1);

once! {
    locks_are_taken_and_given_back,
    condition_wakes_as_many_as_are_told,
    condition_takes_a_lock_of_its_manager,
    waiter_of_a_condition_takes_its_lock_back,
    barrier_lets_all_pass_together,
    barrier_breaks_by_abort_and_time,
}

each_start_method! {
    locks_in_a_child,
    semaphore_taken_by_a_child_is_given_back_here,
    event_in_a_child,
    condition_and_barrier_across_processes,
    killed_holder_s_lock_is_free,
    killed_waiter_takes_nothing,
    notification_of_a_killed_waiter_goes_to_the_next_one,
    killed_waiter_breaks_the_barrier,
}

// parity: manager.flavour-locks, proxy.acquirer-methods
fn locks_are_taken_and_given_back() -> TestResult {
    let manager = Manager::start()?;
    let lock = manager.lock()?;
    lock.acquire()?;
    assert!(!lock.try_acquire()? && lock.locked()?);
    assert!(!lock.acquire_timeout(MOMENT)?);
    lock.release()?;
    assert!(lock.release().unwrap_err().is_raised("RuntimeError"));
    drop(lock.guard()?);
    assert!(lock.try_acquire()?);

    let lock = manager.rlock()?;
    for _ in 0..3 {
        lock.acquire()?;
    }
    let other = lock.clone();
    let elsewhere =
        thread::spawn(move || Ok::<_, CallError>((other.try_acquire()?, other.release())));
    let (taken, released) = elsewhere.join().unwrap()?;
    assert!(!taken && released.unwrap_err().is_raised("RuntimeError"));
    for _ in 0..3 {
        lock.release()?;
    }
    assert!(lock.release().unwrap_err().is_raised("RuntimeError"));

    let semaphore = manager.semaphore(2)?;
    semaphore.acquire()?;
    semaphore.acquire()?;
    assert!(!semaphore.try_acquire()? && !semaphore.acquire_timeout(MOMENT)?);
    semaphore.release_many(3)?;
    assert_eq!(semaphore.get_value()?, 3);
    let bounded = manager.bounded_semaphore(1)?;
    assert!(bounded.release().unwrap_err().is_raised("ValueError"));
    Ok(())
}

// parity: manager.types-rlock, manager.types-condition
fn locks_in_a_child(ctx: &Context) -> TestResult {
    let manager = Manager::start()?;
    let (rlock, condition) = (manager.rlock()?, manager.condition()?);
    ctx.start(take_both, (rlock.clone(), condition.clone()))?.result()??;
    assert!(rlock.try_acquire()? && condition.try_acquire()?);
    Ok(())
}

fn take_both(rlock: RLockProxy, condition: ConditionProxy) -> Result<(), Failure> {
    rlock.acquire()?;
    rlock.release()?;
    condition.acquire()?;
    Ok(condition.release()?)
}

// parity: manager.types-semaphore, manager.types-bounded-semaphore
fn semaphore_taken_by_a_child_is_given_back_here(ctx: &Context) -> TestResult {
    let manager = Manager::start()?;
    for semaphore in [manager.semaphore(1)?, manager.bounded_semaphore(1)?] {
        ctx.start(take, (semaphore.clone(),))?.result()??;
        assert!(!semaphore.try_acquire()?);
        semaphore.release()?;
        assert!(semaphore.try_acquire()?);
    }
    Ok(())
}

fn take(semaphore: SemaphoreProxy) -> Result<(), Failure> {
    Ok(semaphore.acquire()?)
}

// parity: manager.types-event
fn event_in_a_child(ctx: &Context) -> TestResult {
    let manager = Manager::start()?;
    let event = manager.event()?;
    event.set()?;
    let child = ctx.start(clear, (event.clone(),))?;
    child.join()?;
    assert_eq!(child.exitcode(), Some(0));
    assert!(!event.is_set()?);
    Ok(())
}

fn clear(event: EventProxy) -> Result<(), Failure> {
    assert!(event.is_set()?);
    event.wait()?;
    Ok(event.clear()?)
}

// parity: manager.flavour-condition-event
fn condition_wakes_as_many_as_are_told() -> TestResult {
    let manager = Manager::start()?;
    let (condition, woken) = (manager.condition()?, manager.semaphore(0)?);
    let asleep = manager.semaphore(0)?;
    thread::scope(|scope| -> TestResult {
        let threads: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| -> Result<(), CallError> {
                    let _guard = condition.guard()?;
                    asleep.release()?;
                    condition.wait()?;
                    woken.release()
                })
            })
            .collect();
        for _ in 0..6 {
            asleep.acquire()?;
        }
        // Whoever has said that it sleeps holds the lock until it does.
        for (told, total) in [(1, 1), (2, 3), (3, 6)] {
            {
                let _guard = condition.guard()?;
                condition.notify(told)?;
            }
            for _ in 0..told {
                woken.acquire()?;
            }
            let _guard = condition.guard()?;
            assert_eq!(woken.get_value()?, 0, "after {total}");
        }
        for thread in threads {
            thread.join().unwrap()?;
        }
        Ok(())
    })?;
    assert!(condition.notify(1).unwrap_err().is_raised("RuntimeError"));
    assert!(condition.wait().unwrap_err().is_raised("RuntimeError"));
    let _guard = condition.guard()?;
    assert!(!condition.wait_timeout(MOMENT)?);
    assert!(!condition.wait_for_timeout(|| Ok(false), MOMENT)?);
    assert!(condition.wait_for_timeout(|| Ok(true), MOMENT)?);
    assert!(condition.wait_for_timeout(|| Ok(true), Duration::MAX)?);
    condition.notify_all()?;
    let event = manager.event()?;
    assert!(!event.wait_timeout(MOMENT)?);
    event.set()?;
    assert!(event.wait_timeout(MOMENT)? && event.is_set()?);
    Ok(())
}

// parity: manager.condition-with-lock
fn condition_takes_a_lock_of_its_manager() -> TestResult {
    let (manager, other) = (Manager::start()?, Manager::start()?);
    let lock = manager.lock()?;
    let condition = manager.condition_with(&lock)?;
    lock.acquire()?;
    condition.notify_all()?;
    assert!(!condition.try_acquire()?);
    condition.release()?;
    assert!(lock.try_acquire()?);
    assert!(manager.condition_with(&other.lock()?).is_err());
    assert!(manager.condition_with(&manager.event()?).is_err());
    Ok(())
}

fn waiter_of_a_condition_takes_its_lock_back() -> TestResult {
    let manager = Manager::start()?;
    let condition = manager.condition()?;
    condition.acquire()?;
    condition.acquire()?;
    assert!(!condition.wait_timeout(MOMENT)?);
    condition.release()?;
    condition.release()?;
    assert!(condition.release().unwrap_err().is_raised("RuntimeError"));
    Ok(())
}

// parity: manager.flavour-barrier, proxy.barrier-proxy-attributes
fn barrier_lets_all_pass_together() -> TestResult {
    let manager = Manager::start()?;
    let barrier = manager.barrier(3)?;
    for _ in 0..5 {
        let mut places = thread::scope(|scope| {
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| barrier.wait())).collect();
            let places = threads.into_iter().map(|thread| thread.join().unwrap());
            places.collect::<Result<Vec<_>, _>>()
        })?;
        places.sort_unstable();
        assert_eq!(places, [0, 1, 2]);
    }
    assert_eq!((barrier.parties()?, barrier.n_waiting()?, barrier.broken()?), (3, 0, false));
    Ok(())
}

// parity: barrier.parties-invalid, manager.flavour-barrier
fn barrier_breaks_by_abort_and_time() -> TestResult {
    let manager = Manager::start()?;
    let err = manager.barrier(0).unwrap_err();
    assert!(err.to_string().contains("ValueError: parties must be > 0"), "{err}");
    let barrier = manager.barrier(2)?;
    let broken = |err: CallError| err.is_raised("BrokenBarrierError");
    for end in [BarrierProxy::reset, BarrierProxy::abort] {
        assert!(!barrier.broken()?);
        let waiting = {
            let barrier = barrier.clone();
            thread::spawn(move || barrier.wait())
        };
        while barrier.n_waiting()? == 0 {
            thread::yield_now();
        }
        end(&barrier)?;
        assert!(waiting.join().unwrap().is_err_and(broken));
    }
    assert!(barrier.broken()?);
    barrier.reset()?;
    assert!(barrier.wait_timeout(MOMENT).is_err_and(broken));
    assert!(barrier.broken()? && barrier.wait().is_err_and(broken));
    let hasty = manager.barrier_timeout(2, MOMENT)?;
    assert!(hasty.wait().is_err_and(broken));
    Ok(())
}

// parity: manager.flavour-condition-event, manager.flavour-barrier
fn condition_and_barrier_across_processes(ctx: &Context) -> TestResult {
    let manager = Manager::start()?;
    let (condition, value) = (manager.condition()?, manager.value(0i32)?);
    let barrier = manager.barrier(2)?;
    let args = (condition.clone(), value.clone(), barrier.clone());
    let child = ctx.start(raise, args)?;
    {
        let _guard = condition.guard()?;
        condition.wait_for(|| Ok(value.get()? == 4))?;
    }
    barrier.wait()?;
    child.result()??;
    Ok(())
}

fn raise(
    condition: ConditionProxy,
    value: ValueProxy<i32>,
    barrier: BarrierProxy,
) -> Result<(), Failure> {
    for n in 1..=4 {
        let _guard = condition.guard()?;
        value.set(&n)?;
        condition.notify_all()?;
    }
    barrier.wait()?;
    Ok(())
}

// complaint: 3
fn killed_holder_s_lock_is_free(ctx: &Context) -> TestResult {
    let manager = Manager::start()?;
    let (lock, rlock, taken) = (manager.lock()?, manager.rlock()?, manager.event()?);
    let condition = manager.condition()?;
    let args = (lock.clone(), rlock.clone(), condition.clone(), taken.clone());
    let child = ctx.process().daemon(true).start(hold, args)?;
    taken.wait()?;
    assert!(!lock.try_acquire()? && !rlock.try_acquire()?);
    child.kill()?;
    lock.acquire()?;
    rlock.acquire()?;
    condition.acquire()?;
    Ok(())
}

fn hold(
    lock: LockProxy,
    rlock: RLockProxy,
    condition: ConditionProxy,
    taken: EventProxy,
) -> Result<(), Failure> {
    lock.acquire()?;
    rlock.acquire()?;
    rlock.acquire()?;
    condition.acquire()?;
    taken.set()?;
    loop {
        thread::park();
    }
}

fn killed_waiter_takes_nothing(ctx: &Context) -> TestResult {
    let manager = Manager::start()?;
    let (lock, queue) = (manager.lock()?, manager.queue::<i64>(0)?);
    let (ready, started) = (manager.semaphore(0)?, manager.semaphore(0)?);
    lock.acquire()?;
    let waiters = [
        ctx.process().daemon(true).start(wait_for_lock, (lock.clone(), ready.clone()))?,
        ctx.process().daemon(true).start(wait_for_item, (queue.clone(), started.clone()))?,
    ];
    ready.acquire()?;
    started.acquire()?;
    for waiter in waiters {
        waiter.kill()?;
        waiter.join()?;
    }
    lock.release()?;
    lock.acquire()?;
    queue.put(&7)?;
    assert_eq!(queue.get()?, 7);
    Ok(())
}

fn wait_for_lock(lock: LockProxy, ready: SemaphoreProxy) -> Result<(), Failure> {
    ready.release()?;
    Ok(lock.acquire()?)
}

fn wait_for_item(
    queue: multiproc::managers::QueueProxy<i64>,
    ready: SemaphoreProxy,
) -> Result<(), Failure> {
    ready.release()?;
    queue.get()?;
    Ok(())
}

fn notification_of_a_killed_waiter_goes_to_the_next_one(ctx: &Context) -> TestResult {
    let manager = Manager::start()?;
    let (condition, held, ready) = (manager.condition()?, manager.lock()?, manager.semaphore(0)?);
    let args = (condition.clone(), held.clone(), ready.clone());
    let first = ctx.process().daemon(true).start(wait_with_a_lock, args)?;
    ready.acquire()?;
    // It waits once it has let go of the lock, and the next one behind it.
    drop(condition.guard()?);
    let (next, is_ready) = (condition.clone(), ready.clone());
    let next = thread::spawn(move || -> Result<(), CallError> {
        let _guard = next.guard()?;
        is_ready.release()?;
        next.wait()
    });
    ready.acquire()?;
    let guard = condition.guard()?;
    condition.notify(1)?;
    first.kill()?;
    // The server has heard of it.
    held.acquire()?;
    drop(guard);
    next.join().unwrap()?;
    Ok(())
}

fn wait_with_a_lock(
    condition: ConditionProxy,
    held: LockProxy,
    ready: SemaphoreProxy,
) -> Result<(), Failure> {
    held.acquire()?;
    condition.acquire()?;
    ready.release()?;
    Ok(condition.wait()?)
}

fn killed_waiter_breaks_the_barrier(ctx: &Context) -> TestResult {
    let manager = Manager::start()?;
    let barrier = manager.barrier(3)?;
    let child = ctx.process().daemon(true).start(stand, (barrier.clone(),))?;
    while barrier.n_waiting()? == 0 {
        thread::yield_now();
    }
    child.kill()?;
    let err = barrier.wait().unwrap_err();
    assert!(err.is_raised("BrokenBarrierError"), "{err}");
    Ok(())
}

fn stand(barrier: BarrierProxy) -> Result<(), Failure> {
    barrier.wait()?;
    Ok(())
}
