//! What the calls return.

use std::{sync::mpsc::channel, thread};

use multiproc::{Context, TaskError, pipe, pool::AsyncResult, simplex};
use multiproc_tests::{TestResult, each_start_method, once};

use super::{multiply, parse, pool, say_pid_and_wait, square, wait_for_word};

each_start_method! { calls_return_what_functions_return, asynchronous_calls_do_too, callbacks_are_told_once }

once! { calls_may_run_in_different_workers, slow_callback_loses_nothing, nothing_is_kept_alive }

// parity: pool.apply, pool.map, pool.starmap, pool.context-option
fn calls_return_what_functions_return(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 4)?;
    assert_eq!(pool.apply(square, (5,))?, 25);
    let squares = |count: u64| (0..count).map(square).collect::<Vec<_>>();
    assert_eq!(pool.map(square, 0..10)?, squares(10));
    assert_eq!(pool.chunksize(20).map(square, 0..100)?, squares(100));
    let pairs = |count: u64| (0..count).map(move |i| (i, count - 1 - i));
    let products = |count| pairs(count).map(|(x, y)| x * y).collect::<Vec<_>>();
    assert_eq!(pool.starmap(multiply, pairs(10))?, products(10));
    assert_eq!(pool.chunksize(20).starmap(multiply, pairs(100))?, products(100));
    Ok(())
}

// parity: pool.async, pool.map-async, pool.starmap-async
fn asynchronous_calls_do_too(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 4)?;
    let (wait, go) = simplex::<()>()?;
    let slow = |x: u64, line| {
        wait_for_word(line);
        x * x
    };
    let one = pool.apply_async(slow, (7, wait));
    assert!(!one.ready());
    go.send(&())?;
    assert_eq!(one.get()?, 49);
    let squares = pool.map_async(square, 0..10);
    let pairs = (0..100).map(|i| (i, 99 - i));
    let products = pool.starmap_async(multiply, pairs.clone());
    let chunked = pool.chunksize(20).starmap_async(multiply, pairs.clone());
    assert_eq!(squares.get()?, (0..10).map(square).collect::<Vec<_>>());
    assert_eq!(products.get()?, pairs.map(|(x, y)| x * y).collect::<Vec<_>>());
    assert_eq!(products.get()?, chunked.get()?);
    Ok(())
}

// parity: pool.map-async-callbacks, pool.error-callback, async_result.get-error
fn callbacks_are_told_once(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    let (tell, told) = channel();
    let watch = |result: AsyncResult<Vec<i32>>| {
        let (tell, tell_error) = (tell.clone(), tell.clone());
        result
            .callback(move |values| tell.send(Ok(values.clone())).unwrap())
            .error_callback(move |err| tell_error.send(Err(err.to_string())).unwrap())
    };
    let right = watch(pool.map_async(parse, ["1".to_string()]));
    assert_eq!(told.recv()?, Ok(vec![1]));
    let wrong = watch(pool.map_async(parse, ["a".to_string()]));
    assert!(told.recv()?.unwrap_err().contains("a: invalid digit"));
    for _ in 0..2 {
        assert!(matches!(wrong.get(), Err(TaskError::Panicked(_))));
        assert_eq!(right.get()?, [1]);
    }
    drop((right, wrong));
    // Also when nobody keeps the result.
    drop(watch(pool.map_async(parse, ["2".to_string(), "3".to_string()])));
    assert_eq!(told.recv()?, Ok(vec![2, 3]));
    pool.close();
    pool.join()?;
    drop((pool, tell));
    assert!(told.recv().is_err(), "each is told once");
    Ok(())
}

// parity: pool.parallel-use
fn calls_may_run_in_different_workers() -> TestResult {
    let pool = pool(&Context::default(), 2)?;
    let lines = [pipe::<(), u32>()?, pipe::<(), u32>()?];
    let (ours, theirs): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
    let results: Vec<_> =
        theirs.into_iter().map(|line| pool.apply_async(say_pid_and_wait, (line,))).collect();
    // Both run at the same time, or this would not end.
    let pids = ours.iter().map(|line| line.recv()).collect::<Result<Vec<_>, _>>()?;
    assert_ne!(pids[0], pids[1]);
    ours.iter().try_for_each(|line| line.send(&()))?;
    for (result, pid) in results.iter().zip(pids) {
        assert_eq!(result.get()?, pid);
    }
    Ok(())
}

// parity: pool.callback-blocks-others
fn slow_callback_loses_nothing() -> TestResult {
    let pool = pool(&Context::default(), 2)?;
    let (go, wait) = channel::<()>();
    let (tell, told) = channel();
    let (begin, begun) = channel();
    let slow = pool.apply_async(square, (3,)).callback(move |_| {
        begin.send(()).unwrap();
        let _ = wait.recv();
    });
    begun.recv()?;
    let others: Vec<_> = (0..20)
        .map(|x| {
            let tell = tell.clone();
            pool.apply_async(square, (x,)).callback(move |value| tell.send(*value).unwrap())
        })
        .collect();
    // DIFFERENCE: results need no callback thread.
    for (x, result) in (0..).zip(&others) {
        result.wait();
        assert!(result.ready(), "{x}");
    }
    assert!(told.try_recv().is_err());
    go.send(())?;
    let mut all: Vec<_> = told.iter().take(20).collect();
    all.sort_unstable();
    assert_eq!(all, (0..20).map(square).collect::<Vec<_>>());
    assert_eq!(slow.get()?, 9);
    // A callback may end the pool; and one that panics costs itself only.
    let quiet = pool.apply_async(square, (4,)).callback(|_| panic!("on purpose"));
    assert_eq!(quiet.into_result()?, 16);
    thread::scope(|scope| {
        let pool = &pool;
        scope.spawn(move || pool.terminate());
    });
    Ok(())
}

// parity: pool.release-refs
fn nothing_is_kept_alive() -> TestResult {
    let pool = pool(&Context::default(), 2)?;
    let lines = (0..10).map(|_| simplex::<u32>()).collect::<Result<Vec<_>, _>>()?;
    let (ours, theirs): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
    // What the calls were given ends with them, here and in the workers.
    pool.map(|_: multiproc::connection::Sender<u32>| (), theirs)?;
    for line in ours {
        assert!(line.recv().unwrap_err().is_closed());
    }
    Ok(())
}
