//! SIGKILL at random moments, while several threads use the pool.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use multiproc::{Context, Failure, Pool, TaskError};
use multiproc_tests::{
    TestResult, context_named, each_start_method, in_child, ledger::Ledger, name_of, procfs,
    random::Random,
};
use rustix::process::{Pid, Signal, kill_process};

each_start_method! { with_retries_all_results_are_right, without_retries_each_is_right_or_lost }

/// How many kills make a storm.
const KILLS: u32 = 500;

fn with_retries_all_results_are_right(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), weather, (name_of(ctx), 1_000_000))
}

fn without_retries_each_is_right_or_lost(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), weather, (name_of(ctx), 0))
}

/// Uses a pool while its workers are killed.
fn weather(method: String, retries: u32) -> Result<(), Failure> {
    let ctx = context_named(&method);
    multiproc::stop_forkserver();
    ctx.start(|| (), ())?.join()?;
    multiproc::stop_forkserver();
    let before = Ledger::take();

    let pool = Pool::builder().processes(3).context(ctx.clone()).retries(retries).build()?;
    let (kills, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
    let (right, lost) = (AtomicU32::new(0), AtomicU32::new(0));
    let count = |expected: u64, result: Result<u64, TaskError>| match result {
        Ok(value) => {
            assert_eq!(value, expected);
            right.fetch_add(1, Relaxed);
        }
        Err(TaskError::WorkerLost { signal: Some(9), .. }) if retries == 0 => {
            lost.fetch_add(1, Relaxed);
        }
        Err(err) => panic!("for {expected}: {err}"),
    };
    std::thread::scope(|scope| {
        let killer = scope.spawn(|| kill_workers(&kills, &is_over));
        let users = [
            scope.spawn(|| {
                while kills.load(Relaxed) < KILLS {
                    let mut results = pool.imap(work, 0..40).chunksize(3);
                    (0..40).for_each(|x| count(x + 1, results.next().expect("one for each")));
                    assert!(results.next().is_none());
                }
            }),
            scope.spawn(|| {
                while kills.load(Relaxed) < KILLS {
                    let mut seen = [false; 40];
                    for value in pool.imap_unordered(work, 0..40) {
                        if let Ok(value) = &value {
                            assert!(
                                !std::mem::replace(&mut seen[*value as usize - 1], true),
                                "twice: {value}"
                            );
                        }
                        count(value.clone().unwrap_or_default(), value);
                    }
                    assert!(retries == 0 || seen.iter().all(|seen| *seen));
                }
            }),
            scope.spawn(|| {
                while kills.load(Relaxed) < KILLS {
                    count(8, pool.apply(work, (7,)));
                    let sum = pool.map(work, 0..20).map(|values| values.iter().sum());
                    count((1..=20).sum(), sum);
                }
            }),
        ];
        let failed = users.map(|user| user.join().is_err());
        is_over.store(true, Relaxed);
        killer.join().expect("it only kills");
        assert_eq!(failed, [false; 3]);
    });
    println!(
        "{} right, {} lost, {} workers lost, {kills:?} kills",
        right.into_inner(),
        lost.into_inner(),
        pool.workers_lost()
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
