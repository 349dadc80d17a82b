//! What bounds tasks and workers: time, memory, number.

use std::{process, time::Duration};

use multiproc::{
    Context, Failure, Pool, TaskError, connection::Receiver, pipe, pool::current_task, simplex,
};
use multiproc_tests::{TestResult, context_named, each_start_method, in_child, name_of, procfs};

use crate::{abort, square};

each_start_method! {
    call_that_takes_too_long_fails_alone, soft_timeout_is_seen_by_the_task, running_and_queued_calls_are_cancelled,
    memory_limit_ends_a_leak, worker_that_has_grown_is_replaced, pool_is_resized_at_work, idle_workers_leave_and_come_back,
    deaths_may_be_limited,
}

const FOREVER: Duration = Duration::from_secs(3600);

fn sleep_if(x: u64) -> u64 {
    if x % 5 == 3 {
        std::thread::sleep(FOREVER);
    }
    x
}

// complaint: 15
fn call_that_takes_too_long_fails_alone(ctx: &Context) -> TestResult {
    // Long beside the calls that are to succeed, on a machine with other work too.
    let timeout = Duration::from_millis(500);
    let pool = Pool::builder()
        .processes(2)
        .context(ctx.clone())
        .task_timeout(timeout)
        .retries(3)
        .build()?;
    for chunksize in [1, 4, 20] {
        let results: Vec<_> = pool.imap(sleep_if, 0..20).chunksize(chunksize).collect();
        for (x, result) in (0..).zip(results) {
            let expected = if x % 5 == 3 { Err(TaskError::TimedOut(timeout)) } else { Ok(x) };
            assert_eq!(result, expected, "chunks of {chunksize}");
        }
    }
    assert_eq!(pool.workers_lost(), 0, "they were ended, not lost");
    // Also when nobody waits.
    let results = [3, 4].map(|x| pool.apply_async(sleep_if, (x,)));
    while !results.iter().all(|result| result.ready()) {
        std::thread::yield_now();
    }
    assert_eq!(pool.map(square, [2])?, [4]);
    Ok(())
}

fn soft_timeout_is_seen_by_the_task(ctx: &Context) -> TestResult {
    let soft = Duration::from_millis(20);
    let pool = Pool::builder().processes(1).context(ctx.clone()).soft_task_timeout(soft).build()?;
    let until_overdue = |_: u32| {
        let task = current_task().unwrap();
        let had_time = task.time_left().is_some_and(|left| left > Duration::ZERO);
        while !task.is_overdue() {
            std::hint::spin_loop();
        }
        (had_time, task.time_left(), task.is_cancelled())
    };
    // Each call has its own time, in one chunk, too.
    let seen = pool.chunksize(3).map(until_overdue, 0..3)?;
    assert_eq!(seen[0].1, Some(Duration::ZERO));
    assert!(!seen[0].2);
    let free = Pool::builder().processes(1).context(ctx.clone()).build()?;
    assert_eq!(free.apply(|| current_task().and_then(|task| task.time_left()), ())?, None);
    assert!(current_task().is_none(), "this is no worker");
    Ok(())
}

fn wait(line: Receiver<()>) -> u32 {
    let _ = line.recv();
    process::id()
}

// complaint: 15
fn running_and_queued_calls_are_cancelled(ctx: &Context) -> TestResult {
    let pool = Pool::builder().processes(2).context(ctx.clone()).retries(3).build()?;
    let (ours, theirs) = pipe::<(), u32>()?;
    let running = pool.apply_async(
        |line: multiproc::Connection<u32, ()>| {
            let _ = line.send(&process::id());
            let _ = line.recv();
        },
        (theirs,),
    );
    let pid = ours.recv()?;
    let (line, word) = simplex::<()>()?;
    let other = pool.apply_async(wait, (line,));
    let queued: Vec<_> = (0..50).map(|x| pool.apply_async(square, (x,))).collect();
    queued[10].cancel();
    running.cancel();
    assert_eq!(running.get(), Err(TaskError::Cancelled));
    // By the watchdog, this ends.
    procfs::wait_until_ended(pid);
    word.send(&())?;
    assert_ne!(other.get()?, pid);
    for (x, result) in (0..).zip(&queued) {
        match result.get() {
            Err(TaskError::Cancelled) if x == 10 => {}
            result => assert_eq!(result?, square(x)),
        }
    }
    running.cancel();
    queued[3].cancel();
    assert_eq!(queued[3].get()?, 9, "what is done stays");
    let long = pool.chunksize(7).map_async(sleep_if, (0..100).map(|x| x * 5 + 3));
    long.cancel();
    assert_eq!(long.get(), Err(TaskError::Cancelled));
    assert_eq!(pool.map(square, 0..10)?.len(), 10);
    assert_eq!(pool.workers_lost(), 0);
    Ok(())
}

fn take(mib: usize) -> usize {
    let taken = vec![1u8; mib << 20];
    std::hint::black_box(&taken).len()
}

// complaint: 16
fn memory_limit_ends_a_leak(ctx: &Context) -> TestResult {
    // A copy of a test binary with many threads has a lot already.
    in_child(&Context::spawn(), leak, (name_of(ctx),))
}

fn leak(method: String) -> Result<(), Failure> {
    let pool = Pool::builder()
        .processes(2)
        .context(context_named(&method))
        .memory_limit(256 << 20)
        .build()?;
    assert_eq!(pool.map(take, [1, 2])?, [1 << 20, 2 << 20]);
    // std's own backtrace of the failed allocation overwrites what tells.
    let told = std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value == "0");
    let lost = pool.apply(take, (4096,));
    assert_eq!(
        lost,
        Err(TaskError::WorkerLost { signal: Some(libc::SIGABRT), exitcode: None, oom: told })
    );
    let grow = || {
        let mut leaked = Vec::new();
        loop {
            leaked.push(vec![1u8; 1 << 20]);
        }
    };
    let grown: Result<(), _> = pool.apply(grow, ());
    assert!(matches!(grown, Err(TaskError::WorkerLost { oom, .. }) if oom || !told), "{grown:?}");
    let aborted = pool.apply(abort, ());
    assert!(matches!(aborted, Err(TaskError::WorkerLost { oom: false, .. })), "{aborted:?}");
    // What a child of a worker aborts of is not what ends the worker.
    let outlive = || {
        let child = Context::fork().start(take, (4096,)).unwrap();
        child.join().unwrap();
        assert_eq!(child.exitcode(), Some(-libc::SIGABRT));
        process::abort();
    };
    let outlived: Result<(), _> = pool.apply(outlive, ());
    assert!(matches!(outlived, Err(TaskError::WorkerLost { oom: false, .. })), "{outlived:?}");
    assert_eq!(pool.map(take, [1, 2])?, [1 << 20, 2 << 20]);
    Ok(())
}

fn worker_that_has_grown_is_replaced(ctx: &Context) -> TestResult {
    let pool =
        Pool::builder().processes(1).context(ctx.clone()).replace_above(200 << 20).build()?;
    let small = pool.apply(process::id, ())?;
    assert_eq!(pool.apply(process::id, ())?, small);
    let keep = || {
        std::mem::forget(std::hint::black_box(vec![1u8; 300 << 20]));
        process::id()
    };
    assert_eq!(pool.apply(keep, ())?, small);
    // The next worker is there before long; this one may be given tasks until it has said so.
    while pool.apply(process::id, ())? == small {}
    assert_eq!(pool.workers_lost(), 0);
    Ok(())
}

fn pool_is_resized_at_work(ctx: &Context) -> TestResult {
    let pool = Pool::builder().processes(1).context(ctx.clone()).build()?;
    let all = pool.chunksize(1).map_async(square, 0..5000);
    for size in [4, 2, 6, 1, 3] {
        pool.resize(size)?;
        assert_eq!(pool.processes(), size);
        assert_eq!(pool.map(square, 0..100)?.len(), 100);
    }
    assert_eq!(all.get()?, (0..5000).map(square).collect::<Vec<_>>());
    while pool.stats().workers.len() != 3 {
        pool.apply(square, (1,))?;
    }
    assert_eq!(pool.workers_lost(), 0);
    Ok(())
}

fn idle_workers_leave_and_come_back(ctx: &Context) -> TestResult {
    let pool = Pool::builder()
        .processes(2)
        .context(ctx.clone())
        .idle_timeout(Duration::from_millis(20))
        .build()?;
    assert_eq!(pool.map(square, 0..10)?.len(), 10);
    while !pool.stats().workers.is_empty() {
        std::thread::yield_now();
    }
    for _ in 0..3 {
        assert_eq!(pool.map(square, 0..10)?.len(), 10);
    }
    pool.close();
    pool.join()?;
    assert_eq!(pool.workers_lost(), 0);
    Ok(())
}

fn deaths_may_be_limited(ctx: &Context) -> TestResult {
    let pool = Pool::builder()
        .processes(2)
        .context(ctx.clone())
        .retries(1_000)
        .max_restarts(3, FOREVER)
        .build()?;
    let err = pool.apply(abort, ()).unwrap_err();
    assert!(matches!(&err, TaskError::PoolBroken(why) if why.contains("more than 3")), "{err}");
    assert!(matches!(pool.map(square, [1]), Err(TaskError::PoolBroken(_))));
    Ok(())
}
