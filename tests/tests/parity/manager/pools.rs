//! Pools in a manager's server.

use std::time::Duration;

use multiproc::{
    Context, Failure, Manager,
    managers::{
        AsyncResultProxy, CallError, EventProxy, MethodError, PoolCallError, PoolProxy, SyncManager,
    },
    pool::TaskError,
};
use multiproc_tests::{TestResult, each_start_method, once};

const MOMENT: Duration = Duration::from_millis(1);

once! {
    calls_give_what_a_pool_here_gives,
    results_are_had_when_they_are_wanted,
    failures_keep_their_type,
    pool_that_is_closed_takes_no_more,
    pool_goes_with_its_last_proxy_and_result,
}

each_start_method! { pool_in_a_child }

fn square(x: i64) -> i64 {
    x * x
}

// parity: manager.flavour-pool
fn calls_give_what_a_pool_here_gives() -> TestResult {
    let manager = Manager::start()?;
    let pool = manager.pool(3)?;
    assert_eq!(pool.apply(square, (5,))?, 25);
    assert_eq!(pool.apply(|| "nothing".to_owned(), ())?, "nothing");
    let squares: Vec<_> = (0..100).map(square).collect();
    assert_eq!(pool.map(square, 0..100)?, squares);
    assert_eq!(pool.map(square, [])?, Vec::<i64>::new());
    assert_eq!(pool.starmap(i64::pow, [(2, 3), (3, 2)])?, [8, 9]);
    assert_eq!(pool.imap(square, 0..100)?.collect::<Result<Vec<_>, _>>()?, squares);
    let mut unordered = pool.imap_unordered(square, 0..100)?.collect::<Result<Vec<_>, _>>()?;
    unordered.sort_unstable();
    assert_eq!(unordered, squares);
    assert_eq!(pool.map_async(square, 0..100)?.get()?, squares);
    assert_eq!(pool.starmap_async(i64::pow, [(2, 3)])?.get()?, [8]);
    // A function may return what says that it failed, as it is.
    assert_eq!(pool.apply(|x: i64| u8::try_from(x).map_err(|_| x), (300,))?, Err(300));
    Ok(())
}

// parity: manager.flavour-pool
fn results_are_had_when_they_are_wanted() -> TestResult {
    let manager = Manager::start()?;
    let pool = manager.pool(1)?;
    let go = manager.event()?;
    let wait = |go: EventProxy| {
        go.wait().unwrap();
        7
    };
    let result = pool.apply_async(wait, (go.clone(),))?;
    assert!(!result.ready()?);
    assert!(is_raised(&result.get_timeout(MOMENT), "TimeoutError"));
    result.wait_timeout(MOMENT)?;
    assert!(result.successful().unwrap_err().is_raised("ValueError"));
    // Another process may wait for it, and one that is not here any more gets it.
    let other: AsyncResultProxy<i32> = result.clone();
    let child = Context::forkserver().start(
        |result: AsyncResultProxy<i32>| {
            Ok::<_, Failure>(result.get().map_err(|err| err.to_string())?)
        },
        (result,),
    )?;
    go.set()?;
    assert_eq!(child.result()??, 7);
    assert_eq!((other.get()?, other.get_timeout(MOMENT)?), (7, 7));
    assert!(other.ready()? && other.successful()?);

    let steps = pool.imap(wait, [go.clone(), go])?;
    assert_eq!(steps.collect::<Result<Vec<_>, _>>()?, [7, 7]);
    Ok(())
}

fn failures_keep_their_type() -> TestResult {
    let manager = Manager::start()?;
    let pool = manager.pool(2)?;
    let fails = |x: i64| if x == 3 { panic!("three is bad") } else { x };
    match pool.apply(fails, (3,)) {
        Err(MethodError::Own(TaskError::Panicked(report))) => {
            assert!(report.to_string().contains("three is bad"), "{report}");
        }
        other => return Err(format!("{other:?}").into()),
    }
    assert!(matches!(pool.map(fails, 0..9), Err(MethodError::Own(TaskError::Panicked(_)))));
    let result = pool.apply_async(fails, (3,))?;
    result.wait()?;
    assert!(!result.successful()?);
    let steps: Vec<_> = pool.imap(fails, 2..5)?.collect();
    assert!(matches!(&steps[..], [Ok(2), Err(err), Ok(4)] if err.is_raised("RuntimeError")));
    let killed = pool.apply(|| -> () { std::process::abort() }, ());
    assert!(matches!(killed, Err(MethodError::Own(TaskError::WorkerLost { .. }))));
    assert_eq!(pool.apply(fails, (4,))?, 4);
    let err = manager.pool(0).unwrap_err();
    assert!(matches!(&err, CallError::Remote(text) if text.contains("at least 1")), "{err}");
    // What another program would send for a function is refused.
    let err = multiproc::managers::TypedProxy::as_proxy(&pool).call_method("apply", (1, (2,)));
    assert!(err.unwrap_err().is_raised("TypeError"));
    Ok(())
}

// parity: manager.flavour-pool
fn pool_that_is_closed_takes_no_more() -> TestResult {
    let manager = Manager::start()?;
    let pool = manager.pool(1)?;
    assert!(pool.join().unwrap_err().is_raised("ValueError"));
    pool.close()?;
    assert!(matches!(pool.apply(square, (1,)), Err(MethodError::Own(TaskError::NotRunning))));
    pool.join()?;
    let pool = manager.pool(1)?;
    let never = manager.event()?;
    let result = pool.apply_async(|never: EventProxy| never.wait().unwrap(), (never,))?;
    pool.terminate()?;
    pool.join()?;
    assert!(result.get().is_err());
    Ok(())
}

fn pool_goes_with_its_last_proxy_and_result() -> TestResult {
    let manager = Manager::start()?;
    let pool = manager.pool(1)?;
    let go = manager.event()?;
    let pid = pool.apply(std::process::id, ())?;
    let result = pool.apply_async(
        |go: EventProxy| {
            go.wait().unwrap();
            std::process::id()
        },
        (go.clone(),),
    )?;
    // What is awaited is done though nobody has the pool.
    drop(pool);
    go.set()?;
    assert_eq!(result.get()?, pid);
    drop((result, go));
    while manager.number_of_objects()? != 0 || std::fs::exists(format!("/proc/{pid}"))? {
        std::thread::yield_now();
    }
    Ok(())
}

// parity: manager.types-pool
fn pool_in_a_child(context: &Context) -> TestResult {
    let manager = SyncManager::from(SyncManager::builder().context(context.clone()).start()?);
    let pool = manager.pool(4)?;
    let uses = |pool: PoolProxy| -> Result<(), Failure> {
        assert_eq!(pool.map(square, [3, 7, 9])?, [9, 49, 81]);
        pool.terminate()?;
        pool.join()?;
        Ok(())
    };
    let child = context.start(uses, (pool.clone(),))?;
    child.join()?;
    assert_eq!(child.exitcode(), Some(0));
    assert!(pool.apply(square, (1,)).is_err());
    Ok(())
}

fn is_raised<T>(result: &Result<T, PoolCallError>, class: &str) -> bool {
    matches!(result, Err(MethodError::Call(err)) if err.is_raised(class))
}
