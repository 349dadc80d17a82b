//! Kills a process after every so many of its instructions in one operation on a synchronisation object, and looks whether
//! those who depend on it go on, and whether all is counted right.
//!
//! `steps SCENE POINTS`: kills after that many numbers of instructions, at random, or after every one if POINTS is 0. Run it
//! with `MULTIPROC_WITHOUT=slices`, so that a wake-up that is lost is one for ever.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst},
    },
    thread::JoinHandle,
};

use multiproc::{
    Barrier, Condition, Event, Lock, Mutex, RLock, Semaphore,
    synchronize::{Acquired, BarrierError, ConditionError, MutexError},
};
use multiproc_tests::{
    procfs,
    random::Random,
    step::{Victim, mark},
};

type Outcome = Result<(), Box<dyn Error>>;

#[multiproc::main]
fn main() -> Outcome {
    let mut args = std::env::args().skip(1);
    let scene = args.next().ok_or("which scene?")?;
    let points: usize = args.next().ok_or("how many points?")?.parse()?;
    let play: Play = match scene.as_str() {
        "lock" => lock,
        "lock-release" => lock_release,
        "lock-wait" => lock_wait,
        "rlock" => rlock,
        "mutex" => mutex,
        "semaphore-release" => semaphore_release,
        "semaphore-wait" => semaphore_wait,
        "event-set" => event_set,
        "event-wait" => event_wait,
        "condition-notify" => condition_notify,
        "condition-wait" => condition_wait,
        "barrier-wait" => barrier_wait,
        "barrier-last" => barrier_last,
        "entry" => entry,
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
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Lets the victim run `count` instructions, if it takes so many.
fn run_to(victim: &mut Victim, count: usize) {
    let taken = (0..count).take_while(|_| victim.step()).count();
    TAKEN.store(taken, SeqCst);
}

/// The same; where the victim falls asleep, `wake` is called, once.
fn run(victim: &mut Victim, count: usize, wake: impl FnOnce() + Send) {
    let pid = victim.pid();
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while done.load(SeqCst) == 0 {
                if procfs::state(pid) == Some('S') {
                    return wake();
                }
                std::thread::park_timeout(std::time::Duration::from_micros(100));
            }
        });
        run_to(victim, count);
        done.store(1, SeqCst);
        watcher.join().expect("the watcher does not panic");
    });
}

/// Threads that wait for something, and how many of them have been served.
struct Dependants {
    threads: Vec<JoinHandle<()>>,
    tids: Arc<[AtomicI32; 2]>,
    served: Arc<AtomicUsize>,
}

impl Dependants {
    fn start(count: usize, wait: impl Fn() + Send + Sync + Clone + 'static) -> Self {
        let tids = Arc::new([AtomicI32::new(0), AtomicI32::new(0)]);
        let served = Arc::<AtomicUsize>::default();
        let threads = (0..count)
            .map(|number| {
                let (wait, tids, served) = (wait.clone(), Arc::clone(&tids), Arc::clone(&served));
                std::thread::spawn(move || {
                    tids[number].store(rustix::thread::gettid().as_raw_nonzero().get(), SeqCst);
                    wait();
                    served.fetch_add(1, SeqCst);
                })
            })
            .collect();
        Self { threads, tids, served }
    }

    /// Waits until each sleeps, or has been served.
    fn until_asleep(&self) {
        for (thread, tid) in self.threads.iter().zip(self.tids.iter()) {
            while !thread.is_finished() {
                let tid = tid.load(SeqCst);
                if tid != 0 && procfs::state(tid.cast_unsigned()) == Some('S') {
                    break;
                }
                std::thread::yield_now();
            }
        }
    }

    fn served(&self) -> usize {
        self.served.load(SeqCst)
    }

    /// Waits until all have been served.
    fn join(self) {
        for thread in self.threads {
            thread.join().expect("a dependant does not panic");
        }
    }
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

/// A victim with an entry of its own in the table, from its first mark on.
fn victim(before: impl FnOnce(), body: impl FnOnce()) -> std::io::Result<Victim> {
    Victim::fork(|| {
        Lock::new().and_then(|lock| lock.acquire()).expect("a lock");
        before();
        mark();
        body();
        mark();
    })
}

/// The lock can be had, by one after the other.
fn is_usable(lock: &Lock) -> Outcome {
    for _ in 0..2 {
        lock.acquire()?;
        lock.release()?;
    }
    assert!(!lock.locked() && lock.acquire()? == Acquired::Orderly);
    Ok(lock.release()?)
}

/// Killed anywhere in acquire and release, while two come.
fn lock(point: usize) -> Outcome {
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
fn lock_release(point: usize) -> Outcome {
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
fn lock_wait(point: usize) -> Outcome {
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
fn rlock(point: usize) -> Outcome {
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
fn mutex(point: usize) -> Outcome {
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

fn takers(semaphore: &Semaphore, count: usize) -> Dependants {
    let semaphore = semaphore.clone();
    Dependants::start(count, move || semaphore.acquire().expect("a permit is given"))
}

/// Killed anywhere in giving a permit that two sleep for.
fn semaphore_release(point: usize) -> Outcome {
    let semaphore = Semaphore::new(0)?;
    let mut victim = victim(|| (), || semaphore.release().expect("there is room"))?;
    let waiters = takers(&semaphore, 2);
    waiters.until_asleep();
    run_to(&mut victim, point);
    victim.kill();
    // Was it given, somebody gets it without anybody's help.
    until(|| semaphore.get_value() == 0);
    semaphore.release()?;
    semaphore.release()?;
    waiters.join();
    assert!(semaphore.get_value() <= 1);
    Ok(())
}

/// Killed anywhere in waiting for a permit, while another waits behind.
fn semaphore_wait(point: usize) -> Outcome {
    let semaphore = Semaphore::new(0)?;
    let mut victim = victim(|| (), || semaphore.acquire().expect("a permit is given"))?;
    let mut behind = None;
    run(&mut victim, point, || {
        let waiters = takers(&semaphore, 1);
        waiters.until_asleep();
        behind = Some(waiters);
        semaphore.release().expect("there is room");
    });
    victim.kill();
    if let Some(behind) = behind {
        // The victim has taken the permit along, or the other gets it.
        until(|| semaphore.get_value() == 0);
        semaphore.release()?;
        behind.join();
    }
    assert!(semaphore.get_value() <= 1);
    Ok(())
}

fn watchers(event: &Event, count: usize) -> Dependants {
    let event = event.clone();
    Dependants::start(count, move || event.wait().expect("it is set"))
}

/// Killed anywhere in setting an event that two sleep for.
fn event_set(point: usize) -> Outcome {
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
fn event_wait(point: usize) -> Outcome {
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

fn sleepers(condition: &Condition, count: usize) -> Dependants {
    let mine = condition.clone();
    let all = Dependants::start(count, move || {
        let _guard = mine.guard().expect("a lock");
        match mine.wait() {
            Ok(()) | Err(ConditionError::OwnerDied { notified: true }) => {}
            other => other.expect("it is notified"),
        }
    });
    until(|| waiting(condition) == count);
    all
}

/// How many wait, as the `Debug` form says it.
fn waiting(condition: &Condition) -> usize {
    let text = format!("{condition:?}");
    let number =
        text.rsplit_once("waiting: ").map(|(_, number)| number.trim_end_matches([' ', '}']));
    number.and_then(|number| number.parse().ok()).expect("it says so")
}

fn notify_all(condition: &Condition) -> Outcome {
    let _guard = condition.guard()?;
    Ok(condition.notify_all()?)
}

/// Killed anywhere in notifying one of two, and giving the lock back.
fn condition_notify(point: usize) -> Outcome {
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

/// Killed anywhere in a wait that is notified, while two wait behind: if it had not yet gone on, another goes in its place.
fn condition_wait(point: usize) -> Outcome {
    let condition = Condition::with_lock(Lock::new()?)?;
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
        until(|| waiting(&condition) == 3);
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
        notify_all(&condition)?;
        behind.join();
    }
    assert_eq!(waiting(&condition), 0);
    Ok(())
}

fn parties(barrier: &Barrier, count: usize) -> Dependants {
    let barrier = barrier.clone();
    Dependants::start(count, move || match barrier.wait() {
        Ok(_) | Err(BarrierError::Abandoned) => {}
        Err(err) => panic!("{err}"),
    })
}

/// Killed anywhere in coming to a barrier where one waits and another is missing.
fn barrier_wait(point: usize) -> Outcome {
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
fn barrier_last(point: usize) -> Outcome {
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

/// Killed anywhere in taking an entry of the table, taking a lock, and giving it back.
fn entry(point: usize) -> Outcome {
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
