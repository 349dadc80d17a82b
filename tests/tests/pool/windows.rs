//! How far `imap` takes its input ahead.

use std::{cell::Cell, panic::AssertUnwindSafe};

use multiproc::{Context, TaskError};
use multiproc_tests::{TestResult, each_start_method, once};

use crate::{pool, square};

each_start_method! { input_is_taken_no_further_than_the_window, half_consumed_imap_leaves_a_usable_pool }

once! { nothing_is_taken_before_it_is_asked_for, sizes_of_nothing_are_refused, input_that_panics_costs_itself_only }

fn input_is_taken_no_further_than_the_window(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    for (chunksize, buffersize) in [(1, 1), (1, 5), (4, 10), (100, 7), (3, 1000)] {
        let taken = Cell::new(0);
        let items = (0u64..400).inspect(|_| taken.set(taken.get() + 1));
        let mut given = 0;
        for result in pool.imap(square, items).chunksize(chunksize).buffersize(buffersize) {
            assert_eq!(result?, square(given));
            assert!(
                taken.get() <= given as usize + buffersize,
                "{} taken, {given} given",
                taken.get()
            );
            given += 1;
        }
        assert_eq!((given, taken.get()), (400, 400));
    }
    let taken = Cell::new(0);
    let items = (0u64..).inspect(|_| taken.set(taken.get() + 1));
    for (at, result) in pool.imap_unordered(square, items).chunksize(2).take(20_000).enumerate() {
        result?;
        // Sixteen chunks a worker, more when results come fast.
        let chunks = if at == 0 { 16 } else { 512 };
        assert!(taken.get() <= at + chunks * 2 * 2, "{} taken, {at} given", taken.get());
    }
    Ok(())
}

fn half_consumed_imap_leaves_a_usable_pool(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    for at in 0..20 {
        let mut results = pool.imap(square, 0..);
        for x in 0..at {
            assert_eq!(results.next(), Some(Ok(square(x))));
        }
        // With another one at the same time.
        assert_eq!(pool.apply(square, (at,))?, square(at));
        let mut others = pool.imap_unordered(square, [7, 7]);
        assert_eq!(others.next(), Some(Ok(49)));
        assert_eq!(results.next(), Some(Ok(square(at))));
        drop(results);
        assert_eq!(others.next(), Some(Ok(49)));
    }
    assert_eq!(pool.map(square, [3])?, [9]);
    let mut results = pool.imap(square, 0..);
    assert_eq!(results.next(), Some(Ok(0)));
    pool.terminate();
    // What was done before still comes, whatever lies between; then it ends.
    let rest: Vec<_> = results.collect();
    for (x, result) in (1..).zip(&rest) {
        assert!([Ok(square(x)), Err(TaskError::NotRunning)].contains(result), "{result:?}");
    }
    assert_eq!(rest.last(), Some(&Err(TaskError::NotRunning)));
    Ok(())
}

fn nothing_is_taken_before_it_is_asked_for() -> TestResult {
    let pool = pool(&Context::forkserver(), 1)?;
    let taken = Cell::new(0);
    let results = pool.imap(square, (0u64..10).inspect(|_| taken.set(taken.get() + 1)));
    assert_eq!(taken.get(), 0);
    drop(results);
    assert_eq!(taken.get(), 0);
    Ok(())
}

fn sizes_of_nothing_are_refused() -> TestResult {
    let pool = pool(&Context::forkserver(), 1)?;
    let caught = |f: &dyn Fn()| std::panic::catch_unwind(AssertUnwindSafe(f)).is_err();
    assert!(caught(&|| drop(pool.imap(square, [1]).chunksize(0))));
    assert!(caught(&|| drop(pool.imap(square, [1]).buffersize(0))));
    Ok(())
}

fn input_that_panics_costs_itself_only() -> TestResult {
    let pool = pool(&Context::forkserver(), 2)?;
    let bad = || (0u64..10).inspect(|x| assert!(*x < 5, "bad input"));
    let imap = std::panic::catch_unwind(AssertUnwindSafe(|| pool.imap(square, bad()).count()));
    let map = std::panic::catch_unwind(AssertUnwindSafe(|| pool.map(square, bad())));
    assert!(imap.is_err() && map.is_err());
    assert_eq!(pool.map(square, [1, 2])?, [1, 4]);
    Ok(())
}
