//! How a pool ends, and what it says of itself.

use std::time::Duration;

use multiproc::{Context, Failure, Pool, TaskError, pipe, pool::StillOpen, simplex};
use multiproc_tests::{TestResult, context_named, each_start_method, in_child, name_of, procfs};

use super::{pool, say_pid_and_wait, square, wait_for_word};

each_start_method! {
    terminate_drops_what_is_queued, pool_out_of_scope_is_over, closed_pool_takes_nothing_and_finishes,
    ending_may_be_repeated, pool_is_its_makers_alone, pool_shows_its_state,
}

// parity: pool.terminate-prompt, pool.terminated-results
// complaint: 10
fn terminate_drops_what_is_queued(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 3)?;
    let sleep = |_: u32| std::thread::sleep(Duration::from_secs(300));
    let all = pool.chunksize(1).map_async(sleep, 0..10_000);
    let (ours, theirs) = pipe::<(), u32>()?;
    let one = pool.apply_async(say_pid_and_wait, (theirs,));
    pool.terminate();
    pool.join()?;
    // DIFFERENCE: an error, not a wait without end.
    assert_eq!(all.get(), Err(TaskError::NotRunning));
    assert_eq!(one.get_timeout(Duration::from_secs(3600)), Err(TaskError::NotRunning.into()));
    drop(ours);
    Ok(())
}

// parity: pool.scope-terminates, pool.reenter-ended, pool.drop-terminates
fn pool_out_of_scope_is_over(ctx: &Context) -> TestResult {
    let (pids, result) = {
        let pool = pool(ctx, 2)?;
        let pids: Vec<_> = pool.stats().workers.iter().filter_map(|worker| worker.pid).collect();
        (pids, pool.map_async(|_: u32| std::thread::sleep(Duration::from_secs(300)), 0..2))
    };
    assert_eq!(result.get(), Err(TaskError::NotRunning));
    assert!(pids.iter().all(|pid| procfs::state(*pid).is_none()), "neither processes nor zombies");
    let ended = pool(ctx, 1)?;
    ended.terminate();
    assert_eq!(ended.map_async(square, [1]).get(), Err(TaskError::NotRunning));
    ended.join()?;
    assert_eq!(ended.apply(square, (1,)), Err(TaskError::NotRunning));
    Ok(())
}

// parity: pool.join-needs-close, pool.submit-after-close, async_result.survives-pool-drop
fn closed_pool_takes_nothing_and_finishes(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    assert_eq!(pool.join(), Err(StillOpen));
    let (wait, go) = simplex::<()>()?;
    let early = pool.apply_async(wait_for_word, (wait,));
    let queued = pool.map_async(square, 0..100);
    pool.close();
    assert_eq!(pool.apply(square, (1,)), Err(TaskError::NotRunning));
    assert_eq!(pool.map(square, [1]), Err(TaskError::NotRunning));
    assert_eq!(pool.starmap(square, [(1,)]), Err(TaskError::NotRunning));
    assert_eq!(pool.apply_async(square, (1,)).get(), Err(TaskError::NotRunning));
    assert_eq!(pool.map_async(square, [1]).get(), Err(TaskError::NotRunning));
    assert_eq!(pool.starmap_async(square, [(1,)]).get(), Err(TaskError::NotRunning));
    assert_eq!(pool.imap(square, [1]).next(), Some(Err(TaskError::NotRunning)));
    assert_eq!(pool.imap_unordered(square, [1]).next(), Some(Err(TaskError::NotRunning)));
    go.send(&())?;
    pool.join()?;
    drop(pool);
    early.get()?;
    assert_eq!(queued.get()?.len(), 100);
    Ok(())
}

// parity: pool.close-terminate-idempotent
fn ending_may_be_repeated(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    pool.close();
    pool.close();
    pool.terminate();
    pool.terminate();
    pool.join()?;
    pool.join()?;
    pool.close();
    pool.terminate();
    pool.join()?;
    Ok(())
}

static POOL: std::sync::OnceLock<Pool> = std::sync::OnceLock::new();

// parity: pool.creator-only, pool.not-serialisable
fn pool_is_its_makers_alone(ctx: &Context) -> TestResult {
    // That it cannot be an argument is seen by the compiler: `Pool` is not `Serialize`.
    in_child(&Context::spawn(), use_in_a_copy, (name_of(ctx),))
}

fn use_in_a_copy(method: String) -> Result<(), Failure> {
    let pool = POOL.get_or_init(|| pool(&context_named(&method), 2).unwrap());
    assert_eq!(pool.apply(square, (3,))?, 9);
    let in_copy = || {
        let pool = POOL.get().ok_or("a copy has it")?;
        let early = pool.apply_async(square, (1,)).get();
        pool.close();
        pool.terminate();
        pool.join().map_err(|err| err.to_string())?;
        Ok::<_, String>((early, pool.map(square, [2]), pool.imap(square, [2]).next()))
    };
    let copy = Context::fork().allow_threads().start(in_copy, ())?.result()??;
    let over = TaskError::NotRunning;
    assert_eq!(copy, (Err(over.clone()), Err(over.clone()), Some(Err(over))));
    assert_eq!(pool.apply(square, (5,))?, 25, "and the maker's goes on");
    pool.terminate();
    Ok(pool.join()?)
}

// parity: pool.repr
fn pool_shows_its_state(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    assert_eq!(format!("{pool:?}"), "<Pool state=RUN pool_size=2>");
    pool.close();
    assert_eq!(format!("{pool:?}"), "<Pool state=CLOSE pool_size=2>");
    pool.terminate();
    assert_eq!(format!("{pool:?}"), "<Pool state=TERMINATE pool_size=2>");
    Ok(())
}
