//! Pools.

use std::{
    collections::BTreeSet,
    sync::mpsc::channel,
    thread::sleep,
    time::{Duration, Instant},
};

use multiproc::{
    Context, FnRef, Pool, connection::Receiver, current_process, pool::GetTimeoutError, simplex,
};
use multiproc_tests::{TestResult, each_start_method};

each_start_method! {
    squares_of_three_numbers, tour_of_a_pool, results_are_waited_for_with_a_timeout, twenty_tasks_in_every_way,
    results_are_polled_for, callbacks_are_told_as_calls_end,
}

fn square(x: u64) -> u64 {
    x * x
}

fn nap(milliseconds: u64) -> u64 {
    sleep(Duration::from_millis(milliseconds));
    milliseconds
}

fn number_that_comes(line: Receiver<u64>) -> u64 {
    line.recv().unwrap()
}

fn pool(ctx: &Context, processes: usize) -> Result<Pool, multiproc::PoolError> {
    Pool::builder().processes(processes).context(ctx.clone()).build()
}

// parity: docs_example.pool-squares
fn squares_of_three_numbers(ctx: &Context) -> TestResult {
    assert_eq!(pool(ctx, 5)?.map(square, [1, 2, 3])?, [1, 4, 9]);
    Ok(())
}

// parity: docs_example.pool-tour
fn tour_of_a_pool(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 4)?;
    let squares: Vec<u64> = (0..10).map(square).collect();
    assert_eq!(pool.map(square, 0..10)?, squares);
    let unordered = pool.imap_unordered(square, 0..10).collect::<Result<BTreeSet<_>, _>>()?;
    assert!(unordered.into_iter().eq(squares));
    assert_eq!(pool.apply_async(square, (20,)).get_timeout(Duration::MAX)?, 400);
    let pids: Vec<_> = (0..4).map(|_| pool.apply_async(std::process::id, ())).collect();
    for pid in pids {
        assert_ne!(pid.get()?, std::process::id());
    }
    let long = pool.apply_async(nap, (10_000,));
    let late = long.get_timeout(Duration::from_millis(100));
    assert!(matches!(late, Err(GetTimeoutError::Timeout(_))), "{late:?}");
    assert_eq!(pool.apply(square, (3,))?, 9, "the pool is there for more work");
    pool.terminate();
    Ok(())
}

// parity: docs_example.pool-timeout
fn results_are_waited_for_with_a_timeout(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 4)?;
    assert_eq!(pool.apply_async(square, (10,)).get_timeout(Duration::MAX)?, 100);
    let mut squares = pool.imap(square, 0..10);
    assert_eq!((squares.next(), squares.next()), (Some(Ok(0)), Some(Ok(1))));
    assert_eq!(squares.next_timeout(Duration::MAX)?, Some(Ok(4)));
    let late = pool.apply_async(nap, (10_000,)).get_timeout(Duration::from_millis(100));
    assert!(matches!(late, Err(GetTimeoutError::Timeout(_))), "{late:?}");
    pool.terminate();
    Ok(())
}

type Task = (FnRef<(i64, i64), i64>, (i64, i64));

fn calculate((function, (a, b)): Task) -> String {
    format!("{} says that f({a}, {b}) = {}", current_process().name(), function.call((a, b)))
}

// parity: docs_example.pool-demo-results
fn twenty_tasks_in_every_way(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 4)?;
    let products = (0..10).map(|i| (FnRef::new(|a, b| a * b), (i, 7)));
    let tasks: Vec<Task> =
        products.chain((0..10).map(|i| (FnRef::new(|a, b| a + b), (i, 8)))).collect();
    let expected: Vec<String> = (0..10)
        .map(|i| format!("f({i}, 7) = {}", i * 7))
        .chain((0..10).map(|i| format!("f({i}, 8) = {}", i + 8)))
        .collect();
    let told = |lines: Vec<String>| -> Vec<String> {
        let (names, results): (Vec<_>, Vec<_>) = lines
            .iter()
            .filter_map(|line| line.split_once(" says that "))
            .map(|(name, result)| (name.to_owned(), result.to_owned()))
            .unzip();
        assert!(names.iter().all(|name| name.contains("PoolWorker-")), "{names:?}");
        results
    };

    let calls: Vec<_> = tasks.iter().map(|task| pool.apply_async(calculate, (*task,))).collect();
    let lines = calls.iter().map(|call| call.get()).collect::<Result<_, _>>()?;
    assert_eq!(told(lines), expected);
    let lines = pool.imap(calculate, tasks.clone()).collect::<Result<_, _>>()?;
    assert_eq!(told(lines), expected);
    assert_eq!(told(pool.map(calculate, tasks.clone())?), expected);
    let lines = pool.imap_unordered(calculate, tasks).collect::<Result<_, _>>()?;
    let (mut unordered, mut expected) = (told(lines), expected);
    unordered.sort_unstable();
    expected.sort_unstable();
    assert_eq!(unordered, expected);
    Ok(())
}

// parity: docs_example.pool-demo-timeouts
fn results_are_polled_for(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 4)?;
    let moment = Duration::from_millis(20);
    // They end once they have been waited for in vain.
    let (line, go) = simplex::<u64>()?;
    let call = pool.apply_async(number_that_comes, (line,));
    let mut dots = 0;
    let result = loop {
        match call.get_timeout(moment) {
            Err(GetTimeoutError::Timeout(_)) => {
                dots += 1;
                if dots == 3 {
                    go.send(&200)?;
                }
            }
            result => break result?,
        }
    };
    assert_eq!(result, 200);

    let ((line, go), (line_too, go_too)) = (simplex()?, simplex()?);
    go_too.send(&100)?;
    let mut naps = pool.imap(number_that_comes, [line, line_too]);
    let (mut dots, mut results) = (0, Vec::new());
    loop {
        match naps.next_timeout(moment) {
            Ok(Some(result)) => results.push(result?),
            Ok(None) => break,
            Err(_) => {
                dots += 1;
                if dots == 3 {
                    go.send(&200)?;
                }
            }
        }
    }
    assert_eq!(results, [200, 100]);
    Ok(())
}

// parity: docs_example.pool-callback-tutorial
fn callbacks_are_told_as_calls_end(ctx: &Context) -> TestResult {
    const NAP: u64 = 100;
    let pool = pool(ctx, 5)?;
    let (tell, told) = channel();
    let start = Instant::now();
    for number in 0..10 {
        let tell = tell.clone();
        let call = pool.apply_async(
            |number: u64| {
                nap(NAP);
                number + 100
            },
            (number,),
        );
        drop(call.callback(move |result| tell.send(*result).unwrap()));
    }
    pool.close();
    pool.join()?;
    assert!(Duration::from_millis(2 * NAP) <= start.elapsed(), "five at a time");
    drop(tell);
    let results: BTreeSet<u64> = told.iter().collect();
    assert!(results.into_iter().eq(100..110));
    Ok(())
}
