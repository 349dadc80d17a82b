//! Workers that are prepared, replaced and lost.

use std::{fs, io::Write, path::PathBuf, time::Duration};

use multiproc::{
    Context, Failure, Pool, TaskError,
    pool::{AsyncResult, GetTimeoutError},
};
use multiproc_tests::{Scratch, TestResult, context_named, each_start_method, in_child, name_of};

use super::{pool, square};

each_start_method! {
    workers_are_replaced_after_so_many_tasks, initializer_runs_once_in_each_worker,
    failing_initializer_breaks_the_pool, worker_that_dies_costs_its_call, child_may_have_a_pool,
}

// parity: process.pool-in-child
fn child_may_have_a_pool(ctx: &Context) -> TestResult {
    let squares = in_child(ctx, square_in_a_pool, (name_of(ctx),))?;
    assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36]);
    Ok(())
}

fn square_in_a_pool(method: String) -> Result<Vec<u64>, Failure> {
    let pool = pool(&context_named(&method), 4)?;
    let squares = pool.map(square, 0..7)?;
    pool.close();
    pool.join()?;
    Ok(squares)
}

// parity: pool.worker-replacement
// complaint: 17
fn workers_are_replaced_after_so_many_tasks(ctx: &Context) -> TestResult {
    let pool = Pool::builder().processes(3).max_tasks_per_child(10).context(ctx.clone()).build()?;
    let pids =
        || -> Vec<_> { pool.stats().workers.iter().filter_map(|worker| worker.pid).collect() };
    let before = pids();
    let results: Vec<_> = (0..100).map(|x| pool.apply_async(square, (x,))).collect();
    for (x, result) in (0..).zip(results) {
        assert_eq!(result.get()?, square(x));
    }
    // Hundred tasks are ten workers' work, whoever of the first three had most of it; each gets its ten in the end.
    while pids().iter().any(|pid| before.contains(pid)) {
        pool.chunksize(1).map(square, 0..30)?;
    }
    assert!(pool.stats().started > 10);
    assert_eq!(pool.workers_lost(), 0);
    Ok(())
}

// parity: pool.initializer
fn initializer_runs_once_in_each_worker(ctx: &Context) -> TestResult {
    let scratch =
        Scratch::new(env!("CARGO_TARGET_TMPDIR"), &format!("initializer-{}", name_of(ctx)))?;
    let leave_mark = |folder: PathBuf, text: String| -> Result<(), Failure> {
        // A second run in the same worker finds the file there.
        let mut file = fs::File::create_new(folder.join(std::process::id().to_string()))?;
        Ok(file.write_all(text.as_bytes())?)
    };
    let args = (scratch.join(""), "mark".to_string());
    let pool =
        Pool::builder().processes(2).context(ctx.clone()).initializer(leave_mark, args).build()?;
    for _ in 0..20 {
        pool.apply(square, (2,))?;
    }
    pool.close();
    pool.join()?;
    let marks = fs::read_dir(scratch.join(""))?.collect::<Result<Vec<_>, _>>()?;
    assert_eq!(marks.len(), 2, "one for each worker");
    for mark in marks {
        assert_eq!(fs::read_to_string(mark.path())?, "mark");
    }
    Ok(())
}

fn refuse() {
    panic!("no licence");
}

fn exit() {
    std::process::exit(3);
}

// parity: pool.failing-initializer
// complaint: 12
fn failing_initializer_breaks_the_pool(ctx: &Context) -> TestResult {
    let builder = Pool::builder().processes(3).context(ctx.clone());
    let panicking = builder.clone().initializer(refuse, ()).build()?;
    let err = panicking.apply(square, (2,)).unwrap_err();
    assert!(matches!(&err, TaskError::PoolBroken(why) if why.contains("no licence")), "{err}");
    assert_eq!(panicking.stats().started, 3, "no worker was started again");
    let refusing = |why: String| Err::<(), _>(why);
    let refused = builder.clone().initializer(refusing, ("no table".to_string(),)).build()?;
    let err = refused.map(square, 0..10).unwrap_err();
    assert!(matches!(&err, TaskError::PoolBroken(why) if why.contains("no table")), "{err}");
    let dying = builder.initializer(exit, ()).build()?;
    let err = dying.map_async(square, 0..10).get().unwrap_err();
    assert!(matches!(&err, TaskError::PoolBroken(why) if why.contains("exit code 3")), "{err}");
    for pool in [panicking, refused, dying] {
        pool.terminate();
        pool.join()?;
    }
    Ok(())
}

/// A call that ends its worker.
type End = fn(&Pool) -> AsyncResult<()>;

// parity: pool.worker-death
// complaint: 1
fn worker_that_dies_costs_its_call(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    let ends: [(End, _, _); 3] = [
        (|pool| pool.apply_async(|| std::process::exit(3), ()), None, Some(3)),
        (|pool| pool.apply_async(|| multiproc::exit(4), ()), None, Some(4)),
        (|pool| pool.apply_async(|| std::process::abort(), ()), Some(libc::SIGABRT), None),
    ];
    for (end, signal, exitcode) in ends {
        let lost = end(&pool);
        let others: Vec<_> = (0..10).map(|x| pool.apply_async(square, (x,))).collect();
        let err = TaskError::WorkerLost { signal, exitcode, oom: false };
        assert_eq!(lost.get_timeout(Duration::from_secs(3600)), Err(GetTimeoutError::Task(err)));
        for (x, other) in (0..).zip(others) {
            assert_eq!(other.get()?, square(x));
        }
    }
    assert_eq!(pool.workers_lost(), 3);
    Ok(())
}
