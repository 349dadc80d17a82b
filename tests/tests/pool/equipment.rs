//! What workers are given, and what they say at the end.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use multiproc::{
    Context, Failure, Pool, TaskError,
    pool::{WorkerState, with_state},
};
use multiproc_tests::{Scratch, TestResult, each_start_method, name_of};

use crate::{abort, square};

each_start_method! {
    each_worker_has_a_value_of_its_own, finalizer_runs_where_a_worker_leaves_in_order, stats_add_up, times_add_up, executor_is_a_view_of_a_pool,
}

/// Something that cannot be sent, and says where it was made.
struct Counter {
    made_in: u32,
    count: std::rc::Rc<std::cell::Cell<u32>>,
}

fn make(start: u32) -> Counter {
    Counter { made_in: std::process::id(), count: std::rc::Rc::new(start.into()) }
}

fn count(counter: WorkerState<Counter>, by: u32) -> (u32, u32) {
    assert_eq!(counter.made_in, std::process::id());
    counter.count.set(counter.count.get() + by);
    (std::process::id(), counter.count.get())
}

fn each_worker_has_a_value_of_its_own(ctx: &Context) -> TestResult {
    let pool =
        Pool::builder().processes(2).context(ctx.clone()).worker_state(make, (100,)).build()?;
    let counts = pool.map(with_state(count), [1; 50])?;
    let mut pids: Vec<_> = counts.iter().map(|(pid, _)| *pid).collect();
    pids.sort_unstable();
    pids.dedup();
    for pid in pids {
        let mut seen: Vec<_> =
            counts.iter().filter(|count| count.0 == pid).map(|count| count.1).collect();
        // Not every worker does its calls in the order of their places.
        seen.sort_unstable();
        assert!(seen.into_iter().zip(101..).all(|(seen, expected)| seen == expected));
    }
    // A panic leaves the value to the next call, a death does not.
    let fail = |_: WorkerState<Counter>, _: u32| -> u32 { panic!("on purpose") };
    assert!(matches!(pool.apply(with_state(fail), (1,)), Err(TaskError::Panicked(_))));
    assert!(pool.apply(abort, ()).is_err());
    assert!(pool.map(with_state(count), [1; 10])?.iter().all(|(_, count)| *count > 100));
    // One that was never made, or is of another type, is a panic that says so.
    let wrong = |_: WorkerState<String>, _: u32| ();
    let err = pool.apply(with_state(wrong), (1,)).unwrap_err();
    assert!(err.to_string().contains("String"), "{err}");
    let none = Pool::builder().processes(1).context(ctx.clone()).build()?;
    let err = none.apply(with_state(count), (1,)).unwrap_err();
    assert!(err.to_string().contains("worker_state"), "{err}");
    Ok(())
}

fn finalizer_runs_where_a_worker_leaves_in_order(ctx: &Context) -> TestResult {
    let scratch =
        Scratch::new(env!("CARGO_TARGET_TMPDIR"), &format!("finalizer-{}", name_of(ctx)))?;
    let leave_mark = |folder: PathBuf| -> Result<(), Failure> {
        Ok(fs::write(folder.join(std::process::id().to_string()), "")?)
    };
    let pool = Pool::builder()
        .processes(2)
        .context(ctx.clone())
        .max_tasks_per_child(1)
        .finalizer(leave_mark, (scratch.join(""),))
        .build()?;
    for x in 0..6 {
        assert_eq!(pool.apply(square, (x,))?, square(x));
    }
    pool.close();
    pool.join()?;
    let started = pool.stats().started;
    assert!(started >= 6);
    assert_eq!(fs::read_dir(scratch.join(""))?.count() as u64, started);
    Ok(())
}

fn stats_add_up(ctx: &Context) -> TestResult {
    let pool = Pool::builder().processes(2).context(ctx.clone()).build()?;
    pool.map(square, 0..100)?;
    assert!(pool.apply(abort, ()).is_err());
    pool.map(square, 0..10)?;
    let stats = pool.stats();
    assert_eq!((stats.done, stats.queued, stats.lost), (111, 0, 1));
    assert!(
        stats.started >= 2 && stats.workers.iter().map(|worker| worker.calls).sum::<u64>() <= 110
    );
    for worker in &stats.workers {
        assert!(worker.pid.is_some() && worker.in_hand == 0, "{worker:?}");
        assert!(worker.memory.is_some_and(|bytes| bytes > 0), "{worker:?}");
        assert!(worker.restarts <= 1, "{worker:?}");
    }
    Ok(())
}

fn times_add_up(ctx: &Context) -> TestResult {
    let nap = Duration::from_millis(30);
    let sleep = || std::thread::sleep(Duration::from_millis(30));
    let begun = Instant::now();
    let pool = Pool::builder().processes(1).context(ctx.clone()).build()?;
    pool.apply(sleep, ())?;
    // When it answers the next call, the one before is on its account.
    pool.apply(square, (1,))?;
    let first = pool.stats().workers.remove(0);
    assert!(first.busy >= nap && first.busy + first.waiting <= begun.elapsed(), "{first:?}");
    sleep();
    pool.apply(square, (1,))?;
    let second = pool.stats().workers.remove(0);
    assert!(second.busy >= first.busy && second.waiting >= nap, "{second:?} after {first:?}");
    assert!(second.busy + second.waiting <= begun.elapsed(), "{second:?}");
    assert!(second.busy + second.waiting >= first.busy + first.waiting + nap, "{second:?}");
    Ok(())
}

fn executor_is_a_view_of_a_pool(ctx: &Context) -> TestResult {
    let pool = Pool::builder().processes(2).context(ctx.clone()).build()?;
    let executor = pool.executor();
    let futures: Vec<_> = (0..20).map(|x| executor.submit(square, (x,))).collect();
    // Lazily: of an endless input.
    let first: Result<Vec<_>, _> = executor.map(square, 0..).take(5).collect();
    assert_eq!(first?, [0, 1, 4, 9, 16]);
    executor.shutdown();
    for (x, future) in (0..).zip(futures) {
        assert_eq!(future.get()?, square(x));
    }
    assert_eq!(executor.submit(square, (1,)).get(), Err(TaskError::NotRunning));
    let pool = Pool::builder().processes(1).context(ctx.clone()).build()?;
    let never = pool.executor().submit(|| std::thread::sleep(std::time::Duration::MAX), ());
    pool.executor().shutdown_now();
    assert_eq!(never.get(), Err(TaskError::Cancelled));
    Ok(())
}
