//! Behaviours: imap.* of docs/parity.tsv.
//!
//! - DIFFERENCE: the input is taken by whoever asks, no further ahead than the window; if it panics, the one who asks
//!   does.
//! - DIFFERENCE: a closed pool is an error of the first request.
//! - DIFFERENCE: the timed request is there for chunks of any size.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use multiproc::{Context, Pool, TaskError, connection::Receiver, pool::TimeoutError, simplex};
use multiproc_tests::{TestResult, each_start_method, once};

each_start_method! {
    lazy_map_gives_results_in_order, unordered_gives_each_once, request_in_time, failing_task_fails_its_request,
}

once! { failing_input_fails_whoever_asks, closed_pool_is_an_error, results_outlive_closing, size_of_nothing_is_refused }

fn square(x: u64) -> u64 {
    x * x
}

fn pool(ctx: &Context) -> Result<Pool, multiproc::PoolError> {
    Pool::builder().processes(3).context(ctx.clone()).build()
}

// parity: imap.ordered, imap.next-then-stop
fn lazy_map_gives_results_in_order(ctx: &Context) -> TestResult {
    let pool = pool(ctx)?;
    let mut results = pool.imap(square, 0..10);
    for x in 0..10 {
        assert_eq!(results.next(), Some(Ok(square(x))));
    }
    for _ in 0..3 {
        assert_eq!(results.next(), None);
    }
    let all: Result<Vec<_>, _> = pool.imap(square, 0..1000).chunksize(100).collect();
    assert_eq!(all?, (0..1000).map(square).collect::<Vec<_>>());
    Ok(())
}

// parity: imap.unordered
fn unordered_gives_each_once(ctx: &Context) -> TestResult {
    let pool = pool(ctx)?;
    for (count, chunksize) in [(10, 1), (1000, 100)] {
        let results = pool.imap_unordered(square, 0..count).chunksize(chunksize);
        let mut all = results.collect::<Result<Vec<_>, _>>()?;
        all.sort_unstable();
        assert_eq!(all, (0..count).map(square).collect::<Vec<_>>());
    }
    Ok(())
}

// parity: imap.next-timeout, imap.timeout-chunk-one-only
fn request_in_time(ctx: &Context) -> TestResult {
    let pool = pool(ctx)?;
    for chunksize in [1, 2] {
        let (line, word) = simplex::<()>()?;
        let wait = |line: Receiver<()>| line.recv().is_ok();
        let mut results = pool.imap(wait, [line]).chunksize(chunksize);
        let early = Duration::from_millis(50);
        assert_eq!(results.next_timeout(early), Err(TimeoutError(early)));
        word.send(&())?;
        assert_eq!(results.next_timeout(Duration::from_secs(3600)), Ok(Some(Ok(true))));
        assert_eq!(results.next_timeout(early), Ok(None));
    }
    Ok(())
}

// parity: imap.task-error-continues
fn failing_task_fails_its_request(ctx: &Context) -> TestResult {
    let pool = pool(ctx)?;
    let half = |x: u64| {
        assert!(x.is_multiple_of(2), "odd");
        x / 2
    };
    for (x, result) in (0..).zip(pool.imap(half, 0..10).chunksize(3)) {
        assert_eq!(result.is_ok(), x % 2 == 0, "{x}");
    }
    Ok(())
}

// parity: imap.iterable-error-first, imap.iterable-error-middle, imap.unordered-iterable-error
fn failing_input_fails_whoever_asks() -> TestResult {
    let pool = pool(&Context::default())?;
    let failing = |at: u64| (0..10).inspect(move |x| assert!(*x != at, "bad input"));
    for _ in 0..2 {
        let first = catch_unwind(AssertUnwindSafe(|| pool.imap(square, failing(0)).next()));
        assert!(first.is_err(), "on the same pool again and again");
    }
    // What came before it: it is taken one at a time here, or it would come first.
    let mut results = pool.imap(square, failing(3)).buffersize(1);
    for x in 0..3 {
        assert_eq!(results.next(), Some(Ok(square(x))));
    }
    assert!(catch_unwind(AssertUnwindSafe(|| results.next())).is_err());
    let mut seen = Vec::new();
    let mut results = pool.imap_unordered(square, failing(7)).buffersize(2);
    while let Ok(next) = catch_unwind(AssertUnwindSafe(|| results.next())) {
        let value = next.ok_or("it fails before it ends")??;
        assert!(!seen.contains(&value) && seen.len() < 10);
        seen.push(value);
    }
    assert_eq!(pool.map(square, [3])?, [9]);
    Ok(())
}

// parity: imap.closed-pool
fn closed_pool_is_an_error() -> TestResult {
    let pool = pool(&Context::default())?;
    pool.close();
    for mut results in [pool.imap(square, 0..3), pool.imap_unordered(square, 0..3)] {
        assert_eq!(results.next(), Some(Err(TaskError::NotRunning)));
        assert_eq!(results.next(), None);
    }
    Ok(())
}

// parity: imap.input-consumed-in-background
// complaint: 14
fn results_outlive_closing() -> TestResult {
    let pool = pool(&Context::default())?;
    let taken = std::cell::Cell::new(0);
    let endless = (0u64..).inspect(|_| taken.set(taken.get() + 1));
    let mut results = pool.imap(square, endless).buffersize(8);
    assert_eq!(results.next(), Some(Ok(0)));
    // DIFFERENCE: no further than the window, however fast the workers are.
    assert!(taken.get() <= 9);
    pool.close();
    pool.join()?;
    assert_eq!(results.next(), Some(Ok(1)), "what was computed can be fetched");
    Ok(())
}

// parity: imap.chunksize-invalid
fn size_of_nothing_is_refused() -> TestResult {
    let pool = pool(&Context::default())?;
    let refused = catch_unwind(AssertUnwindSafe(|| drop(pool.imap(square, [1]).chunksize(0))));
    let message = refused.unwrap_err().downcast::<String>().map_err(|_| "it says why")?;
    assert!(message.ends_with("not 0"), "{message}");
    Ok(())
}
