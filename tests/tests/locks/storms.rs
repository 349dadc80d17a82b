//! SIGKILL at random moments: 1,002 for each object, a third under each start method, which takes 20 seconds in all.
//! `MULTIPROC_TEST_KILLS` says another number for each method.

use multiproc::{
    Barrier, BoundedSemaphore, Condition, Context, Event, Lock, Mutex, Process, RLock, Semaphore,
    synchronize::ConditionError,
};
use multiproc_tests::{TestResult, each_start_method, random::Random};

each_start_method! {
    locks_are_never_lost_and_never_shared,
    permits_are_taken_by_the_living,
    permits_that_were_taken_come_back_to_the_living,
    event_reaches_the_living,
    notifications_reach_the_living,
    barrier_does_not_wait_for_the_dead,
}

/// How many are killed where nobody asked for another number.
const KILLS: usize = 334;

fn kills() -> usize {
    let asked = std::env::var("MULTIPROC_TEST_KILLS").ok().and_then(|kills| kills.parse().ok());
    asked.unwrap_or(KILLS)
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

/// Workers, one of whom is killed now and then, and replaced.
struct Crew<F> {
    workers: Vec<Process<()>>,
    start: F,
    random: Random,
}

impl<F: Fn(usize) -> Result<Process<()>, multiproc::StartError>> Crew<F> {
    fn new(count: usize, start: F) -> Result<Self, Box<dyn std::error::Error>> {
        let workers = (0..count).map(&start).collect::<Result<_, _>>()?;
        Ok(Self { workers, start, random: Random::new() })
    }

    /// Kills one at a random moment, and puts another in its place.
    fn kill_one(&mut self) -> Result<usize, Box<dyn std::error::Error>> {
        let number = self.random.below(self.workers.len() as u64) as usize;
        self.random.dither();
        self.workers[number].kill()?;
        self.workers[number].join()?;
        check(&self.workers[number]);
        self.workers[number] = (self.start)(number)?;
        Ok(number)
    }

    fn end(self) -> TestResult {
        for worker in &self.workers {
            worker.kill()?;
            worker.join()?;
            check(worker);
        }
        Ok(())
    }
}

/// A worker that found a fault would have panicked, and exited with 1.
fn check(worker: &Process<()>) {
    // 255 where the kernel does not say.
    assert!(matches!(worker.exitcode(), Some(-9 | 255)), "it reported a fault: {worker:?}");
}

type Locks = (Lock, RLock, Mutex<[u64; 2]>);

fn locks_are_never_lost_and_never_shared(ctx: &Context) -> TestResult {
    let locks: Locks = (Lock::new()?, RLock::new()?, Mutex::new([0; 2])?);
    let start = |_| ctx.process().daemon(true).start(use_locks, locks.clone());
    let mut crew = Crew::new(3, start)?;
    for _ in 0..kills() {
        // Somebody goes on, whoever was killed before.
        let before = locks.2.lock_or_repair(|halves| halves[1] = halves[0])?[0];
        until(|| locks.2.lock_or_repair(|halves| halves[1] = halves[0]).unwrap()[0] != before);
        crew.kill_one()?;
    }
    crew.end()?;
    drop((locks.0.guard()?, locks.1.guard()?));
    assert!(!locks.0.locked() && !locks.1.locked());
    Ok(())
}

fn use_locks(lock: Lock, nested: RLock, value: Mutex<[u64; 2]>) {
    let inside = Lock::clone(&lock);
    loop {
        let _guard = lock.guard().unwrap();
        assert!(inside.try_acquire().unwrap().is_none(), "the lock is held");
        let _outer = nested.guard().unwrap();
        let _inner = nested.guard().unwrap();
        let mut halves = value.lock_or_repair(|halves| halves[1] = halves[0]).unwrap();
        assert_eq!(halves[0], halves[1], "nobody else is here");
        halves[0] += 1;
        std::hint::black_box(&mut halves)[1] += 1;
    }
}

fn permits_are_taken_by_the_living(ctx: &Context) -> TestResult {
    let (permits, taken) = (Semaphore::new(0)?, Semaphore::new(0)?);
    let start = |_| {
        let args = (permits.clone(), taken.clone());
        ctx.process().daemon(true).start(take_permits, args)
    };
    let give = || permits.release().unwrap();
    feed(Crew::new(3, start)?, give, || permits.get_value(), || taken.get_value())
}

/// Gives permits to a crew whose members take them, and say so, and are killed.
fn feed<F: Fn(usize) -> Result<Process<()>, multiproc::StartError>>(
    mut crew: Crew<F>,
    give: impl Fn(),
    left: impl Fn() -> u32,
    taken: impl Fn() -> u32,
) -> TestResult {
    let (mut given, mut killed) = (0, 0);
    for _ in 0..kills() {
        (0..3).for_each(|_| give());
        given += 3;
        crew.kill_one()?;
        killed += 1;
        // Those who live take all, without anybody's help.
        until(|| left() == 0);
    }
    // Each of the dead has taken one along at most.
    until(|| given <= taken() + killed);
    crew.end()?;
    assert!(taken() <= given && left() == 0);
    Ok(())
}

fn take_permits(permits: Semaphore, taken: Semaphore) {
    loop {
        permits.acquire().unwrap();
        taken.release().unwrap();
    }
}

fn permits_that_were_taken_come_back_to_the_living(ctx: &Context) -> TestResult {
    // One more than are given, so that nobody gives too many, whoever has died.
    let most = 3 * u32::try_from(kills())? + 1;
    let (permits, taken) = (BoundedSemaphore::new(most)?, BoundedSemaphore::new(most)?);
    for _ in 0..most {
        permits.acquire()?;
        taken.acquire()?;
    }
    let start = |_| {
        let args = (permits.clone(), taken.clone());
        ctx.process().daemon(true).start(take_bounded, args)
    };
    let give = || permits.release().unwrap();
    feed(Crew::new(3, start)?, give, || permits.get_value(), || taken.get_value())?;
    (0..most).try_for_each(|_| permits.release())?;
    assert!(permits.release().is_err(), "that is one more than there ever were");
    Ok(())
}

fn take_bounded(permits: BoundedSemaphore, taken: BoundedSemaphore) {
    loop {
        permits.acquire().unwrap();
        taken.release().unwrap();
    }
}

fn event_reaches_the_living(ctx: &Context) -> TestResult {
    let (events, seen) = ([Event::new()?, Event::new()?], Mutex::new([0u32; 3])?);
    let round = Mutex::new(0u32)?;
    let start = |number: usize| {
        // What the one before it has seen says nothing of this one, who might begin with a round that is over.
        seen.lock_or_repair(|_| ()).unwrap()[number] = 0;
        let args = (events.clone(), seen.clone(), round.clone(), number);
        ctx.process().daemon(true).start(see_events, args)
    };
    let look = || *seen.lock_or_repair(|_| ()).unwrap();
    let mut crew = Crew::new(3, start)?;
    for now in 1..=kills() as u32 {
        *round.lock_or_repair(|_| ())? = now;
        events[(now + 1) as usize % 2].clear();
        events[now as usize % 2].set();
        crew.kill_one()?;
        until(|| look().iter().all(|seen| now <= *seen));
    }
    crew.end()
}

/// Waits for one event after the other, and writes down which it has seen.
fn see_events(events: [Event; 2], seen: Mutex<[u32; 3]>, round: Mutex<u32>, number: usize) {
    let mut now = (*round.lock_or_repair(|_| ()).unwrap()).max(1);
    loop {
        events[now as usize % 2].wait().unwrap();
        seen.lock_or_repair(|_| ()).unwrap()[number] = now;
        now += 1;
    }
}

// complaint: 9
fn notifications_reach_the_living(ctx: &Context) -> TestResult {
    let (condition, items) = (Condition::new()?, Mutex::new(0u32)?);
    let start = |_| {
        let args = (condition.clone(), items.clone());
        ctx.process().daemon(true).start(take_items, args)
    };
    let mut crew = Crew::new(3, start)?;
    for _ in 0..kills() {
        for _ in 0..2 {
            let _guard = condition.guard()?;
            *items.lock_or_repair(|_| ())? += 1;
            condition.notify(1)?;
        }
        crew.kill_one()?;
        // Those who live take all, without being notified again.
        until(|| *items.lock_or_repair(|_| ()).unwrap() == 0);
    }
    crew.end()
}

fn take_items(condition: Condition, items: Mutex<u32>) {
    loop {
        let _guard = condition.guard().unwrap();
        let any = || *items.lock_or_repair(|_| ()).unwrap() != 0;
        match condition.wait_for(any) {
            Ok(()) => *items.lock_or_repair(|_| ()).unwrap() -= 1,
            // The lock is held, and what was to be had may be there still.
            Err(ConditionError::OwnerDied { .. }) => {}
            Err(err) => panic!("{err}"),
        }
    }
}

fn barrier_does_not_wait_for_the_dead(ctx: &Context) -> TestResult {
    let mut random = Random::new();
    for _ in 0..kills().div_ceil(2) {
        let barrier = Barrier::new(3)?;
        let pass = |barrier: Barrier| while barrier.wait().is_ok() {};
        let start = |_| ctx.process().daemon(true).start(pass, (barrier.clone(),));
        let parties: Vec<Process<()>> = (0..3).map(start).collect::<Result<_, _>>()?;
        random.dither();
        parties[0].kill()?;
        parties[0].join()?;
        // Killed while it waited, it has broken the barrier; else the others wait for one who may come still.
        until(|| barrier.broken() || barrier.n_waiting() == 2);
        if !barrier.broken() {
            barrier.abort();
        }
        for party in &parties[1..] {
            party.result()?;
        }
        assert!(barrier.broken());
        barrier.reset();
        assert_eq!(barrier.n_waiting(), 0);
    }
    Ok(())
}
