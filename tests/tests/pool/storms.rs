//! SIGKILL at random moments, while several threads use all methods of the pool at once.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
};

use multiproc::{Context, Failure, Pool, TaskError};
use multiproc_tests::{
    TestResult, context_named, each_start_method, in_child, ledger::Ledger, name_of, procfs,
    random::Random,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::square;

each_start_method! {
    with_retries_all_results_are_right, without_retries_each_is_right_or_lost, terminate_may_come_at_any_moment,
}

/// How many kills make a storm, unless `MULTIPROC_STORM_KILLS` says so.
const KILLS: u32 = 300;

fn kills_wanted() -> u32 {
    env::var("MULTIPROC_STORM_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS)
}

// complaint: 1
fn with_retries_all_results_are_right(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), weather, (name_of(ctx), 1_000_000))
}

// complaint: 1
fn without_retries_each_is_right_or_lost(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), weather, (name_of(ctx), 0))
}

/// What has come of calls.
#[derive(Default)]
struct Tally {
    right: AtomicU32,
    lost: AtomicU32,
    /// How many callbacks were called, and how many should be.
    called: AtomicU32,
    callbacks: AtomicU32,
    kills: AtomicU32,
    retries: u32,
}

impl Tally {
    /// Counts a result; false if it was lost.
    fn count<T: PartialEq + std::fmt::Debug>(
        &self,
        expected: T,
        result: Result<T, TaskError>,
    ) -> bool {
        match result {
            Ok(value) => {
                assert_eq!(value, expected);
                self.right.fetch_add(1, Relaxed);
                true
            }
            Err(TaskError::WorkerLost { signal: Some(9), .. }) if self.retries == 0 => {
                self.lost.fetch_add(1, Relaxed);
                false
            }
            Err(err) => panic!("for {expected:?}: {err}"),
        }
    }

    fn is_storm(&self) -> bool {
        self.kills.load(Relaxed) < kills_wanted()
    }
}

/// A way to use a pool.
type Use = fn(&Pool, &Arc<Tally>);

const USES: [Use; 5] = [
    |pool, tally| {
        let mut results = pool.imap(work, 0..40).chunksize(3);
        (0..40).for_each(|x| {
            tally.count(x + 1, results.next().expect("one for each"));
        });
        assert!(results.next().is_none());
    },
    |pool, tally| {
        let mut seen = [false; 40];
        let mut count = 0;
        for value in pool.imap_unordered(work, 0..40) {
            count += 1;
            if tally.count(
                true,
                value.map(|value| !std::mem::replace(&mut seen[value as usize - 1], true)),
            ) {
                continue;
            }
        }
        assert_eq!(count, 40, "each exactly once");
        assert!(tally.retries == 0 || seen.iter().all(|seen| *seen));
    },
    |pool, tally| {
        tally.count(8, pool.apply(work, (7,)));
        let sum = pool.map(work, 0..20).map(|values| values.iter().sum::<u64>());
        tally.count((1..=20).sum(), sum);
        let products =
            pool.chunksize(3).starmap(|x: u64, y: u64| work(x) * y, (0..9).map(|x| (x, 2)));
        tally.count((0..9).map(|x| (x + 1) * 2).collect(), products);
        // More than is handed over at once.
        let squares = pool.map(square, 0..30_000);
        tally.count(true, squares.map(|all| all.into_iter().eq((0..30_000).map(square))));
    },
    |pool, tally| {
        let results: Vec<_> = (0..10)
            .map(|x| {
                let (called, failed) = (tally.clone(), tally.clone());
                tally.callbacks.fetch_add(1, Relaxed);
                pool.apply_async(work, (x,))
                    .callback(move |_| {
                        called.called.fetch_add(1, Relaxed);
                    })
                    .error_callback(move |_| {
                        failed.called.fetch_add(1, Relaxed);
                    })
            })
            .collect();
        for (x, result) in (0..).zip(results) {
            tally.count(x + 1, result.into_result());
        }
    },
    |pool, tally| {
        let all = pool.map_async(work, 0..30);
        let pairs =
            pool.chunksize(1).starmap_async(|x: u64, y: u64| work(x + y), (0..10).map(|x| (x, x)));
        let cancelled = pool.apply_async(work, (5,));
        cancelled.cancel();
        assert!(matches!(
            cancelled.get(),
            Ok(6) | Err(TaskError::Cancelled | TaskError::WorkerLost { .. })
        ));
        tally.count((1..=30).collect(), all.get());
        tally.count((0..10).map(|x| 2 * x + 1).collect(), pairs.get());
    },
];

/// Uses a pool in all ways while its workers are killed.
fn weather(method: String, retries: u32) -> Result<(), Failure> {
    let ctx = context_named(&method);
    multiproc::stop_forkserver();
    ctx.start(|| (), ())?.join()?;
    multiproc::stop_forkserver();
    let before = Ledger::take();

    let pool = Pool::builder().processes(3).context(ctx).retries(retries).build()?;
    let tally = Arc::new(Tally { retries, ..Tally::default() });
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let killer = scope.spawn(|| kill_workers(&tally.kills, &is_over));
        let users = USES.map(|use_pool| {
            let (pool, tally) = (&pool, &tally);
            scope.spawn(move || {
                while tally.is_storm() {
                    use_pool(pool, tally);
                }
            })
        });
        let failed = users.map(|user| user.join().is_err());
        is_over.store(true, Relaxed);
        killer.join().expect("it only kills");
        assert_eq!(failed, [false; USES.len()]);
    });
    println!(
        "{:?} right, {:?} lost, {} workers lost, {:?} kills",
        tally.right,
        tally.lost,
        pool.workers_lost(),
        tally.kills
    );
    assert!(pool.workers_lost() > 0);

    // When all is over it works.
    let result = loop {
        match pool.map(work, 0..100) {
            // The last ones that were killed may not have been missed yet.
            Err(TaskError::WorkerLost { .. }) if retries == 0 => {}
            result => break result,
        }
    };
    assert_eq!(result?, (1..=100).collect::<Vec<_>>());
    pool.close();
    pool.join()?;
    assert_eq!(tally.called.load(Relaxed), tally.callbacks.load(Relaxed), "callbacks once");
    drop(pool);
    multiproc::stop_forkserver();
    before.check("a storm")
}

fn kill_workers(kills: &AtomicU32, is_over: &AtomicBool) {
    let mut random = Random::new();
    while !is_over.load(Relaxed) {
        // Where the fork server has to be the parent of the workers, they are its children.
        let (servers, mut children): (Vec<_>, Vec<_>) = procfs::children_of(std::process::id())
            .into_iter()
            .partition(|child| procfs::comm(*child) == "ForkServer");
        children.extend(servers.into_iter().flat_map(procfs::children_of));
        // One at a time, so that some live long enough to do something.
        if let Some(child) = children.get(random.below(children.len().max(1) as u64) as usize) {
            random.dither();
            let pid = Pid::from_raw(child.cast_signed()).expect("children have numbers");
            kills.fetch_add(u32::from(kill_process(pid, Signal::KILL).is_ok()), Relaxed);
        }
    }
}

fn work(x: u64) -> u64 {
    // Long enough for some to be killed while they work.
    let mut y = x;
    for _ in 0..2000 {
        y = std::hint::black_box(y);
    }
    y + 1
}

// complaint: 10
fn terminate_may_come_at_any_moment(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), end_at_any_moment, (name_of(ctx),))
}

fn end_at_any_moment(method: String) -> Result<(), Failure> {
    let ctx = context_named(&method);
    multiproc::stop_forkserver();
    ctx.start(|| (), ())?.join()?;
    multiproc::stop_forkserver();
    let before = Ledger::take();
    let mut random = Random::new();
    for round in 0..20 {
        let pool = Pool::builder().processes(3).context(ctx.clone()).retries(2).build()?;
        let (tell, told) = std::sync::mpsc::channel();
        let queued: Vec<_> = (0..500)
            .map(|x| {
                let (tell, tell_error) = (tell.clone(), tell.clone());
                pool.apply_async(square, (x,))
                    .callback(move |_| tell.send(()).unwrap())
                    .error_callback(move |_| tell_error.send(()).unwrap())
            })
            .collect();
        // From a callback, from another thread, or from here; and none of them waits for a task.
        let asleep = pool.map_async(|_: u8| std::thread::sleep(std::time::Duration::MAX), [0; 100]);
        random.dither();
        std::thread::scope(|scope| {
            if round % 2 == 0 {
                scope.spawn(|| pool.terminate());
            }
            pool.terminate();
        });
        pool.join()?;
        assert_eq!(asleep.get(), Err(TaskError::NotRunning));
        for (x, result) in (0..).zip(queued) {
            assert!([Ok(square(x)), Err(TaskError::NotRunning)].contains(&result.get()));
        }
        drop(tell);
        assert_eq!(told.iter().count(), 500, "each is called back once");
    }
    multiproc::stop_forkserver();
    before.check("pools that were terminated")
}
