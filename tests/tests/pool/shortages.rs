//! Pools where descriptors are scarce.

use std::os::fd::OwnedFd;

use multiproc::{Context, Failure, Pool, PoolError, TaskError};
use multiproc_tests::{
    TestResult, context_named, each_start_method, in_child, ledger::Ledger, name_of, procfs,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{abort, pool, square};

each_start_method! {
    large_values_take_few_descriptors,
    few_descriptors_are_enough, pool_that_cannot_be_made_is_an_error, pool_without_workers_is_broken_not_silent,
    pool_goes_on_with_the_workers_that_are_left,
}

fn few_descriptors_are_enough(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), work_with_64, (name_of(ctx),))
}

fn work_with_64(method: String) -> Result<(), Failure> {
    limit_descriptors(64)?;
    let ctx = context_named(&method);
    let pool = Pool::builder().processes(4).context(ctx).retries(3).build()?;
    for _ in 0..3 {
        assert_eq!(pool.map(square, 0..500)?.len(), 500);
        assert_eq!(pool.imap(square, 0..500).filter(Result::is_ok).count(), 500);
        assert_eq!(pool.map(|text: String| text, vec!["x".repeat(1 << 20); 20])?.len(), 20);
        assert!(pool.apply(abort, ()).is_err());
    }
    assert_eq!(pool.workers_lost(), 12);
    Ok(())
}

fn large_values_take_few_descriptors(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), keep_large_values_with_64, (name_of(ctx),))
}

/// Many more values than descriptors, on their way there and on their way back.
fn keep_large_values_with_64(method: String) -> Result<(), Failure> {
    limit_descriptors(64)?;
    let pool = Pool::builder().processes(2).context(context_named(&method)).build()?;
    let texts = || (0..200).map(|at| (at, "x".repeat(100 << 10))).collect::<Vec<_>>();
    let check = |values: Vec<(usize, String)>| {
        assert_eq!(values.len(), 200);
        assert!((0..).zip(&values).all(|(at, value)| value.0 == at && value.1.len() == 100 << 10));
    };
    check(pool.map(|text: (usize, String)| text, texts())?);
    let results = pool.map_async(|text: (usize, String)| text, texts());
    results.wait();
    let open = procfs::open_descriptors().len();
    assert!(open < 50, "{open} of 64 are open while the results wait");
    check(results.get()?);
    // As long as one is so large that it does not even come into memory before it is in a file.
    let huge = pool.map(|text: String| text, vec!["x".repeat(2 << 20); 30])?;
    assert!(huge.len() == 30 && huge.iter().all(|text| text.len() == 2 << 20));
    Ok(())
}

fn pool_that_cannot_be_made_is_an_error(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), make_with_any_number, (name_of(ctx),))
}

/// Makes a pool with every number of free descriptors, from none to enough.
fn make_with_any_number(method: String) -> Result<(), Failure> {
    let ctx = context_named(&method);
    multiproc::stop_forkserver();
    ctx.start(|| (), ())?.join()?;
    multiproc::stop_forkserver();
    let before = Ledger::take();
    let all = getrlimit(Resource::Nofile);
    let mut has_worked = false;
    for free in 0..60 {
        limit_descriptors(free + next_descriptor())?;
        match pool(&ctx, 3) {
            Ok(pool) => {
                // To send something, descriptors may be needed, too.
                assert!(matches!(pool.apply(square, (3,)), Ok(9) | Err(TaskError::Encode(_))));
                has_worked = true;
            }
            Err(PoolError::Start(err)) => assert!(err.is_exhausted(), "{err:?}"),
            Err(err) => return Err(err.into()),
        }
        setrlimit(Resource::Nofile, all)?;
        multiproc::stop_forkserver();
        before.check(&format!("a pool with {free} free descriptors"))?;
    }
    assert!(has_worked);
    Ok(())
}

fn pool_without_workers_is_broken_not_silent(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), lose_all_workers, (name_of(ctx),))
}

fn lose_all_workers(method: String) -> Result<(), Failure> {
    let ctx = context_named(&method);
    let pool = Pool::builder().processes(1).context(ctx).retries(5).build()?;
    assert_eq!(pool.apply(square, (3,))?, 9);
    let fillers = fill_descriptors()?;
    let result = pool.apply(abort, ());
    let rest = pool.map(square, [1, 2]);
    drop(fillers);
    assert!(matches!(result, Err(TaskError::PoolBroken(_))), "{result:?}");
    assert!(matches!(rest, Err(TaskError::PoolBroken(_))), "{rest:?}");
    Ok(())
}

fn pool_goes_on_with_the_workers_that_are_left(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), lose_one_worker, (name_of(ctx),))
}

fn lose_one_worker(method: String) -> Result<(), Failure> {
    let ctx = context_named(&method);
    let pool = Pool::builder().processes(2).context(ctx).build()?;
    assert_eq!(pool.map(square, 0..20)?.len(), 20);
    let fillers = fill_descriptors()?;
    assert!(matches!(pool.apply(abort, ()), Err(TaskError::WorkerLost { .. })));
    let results = pool.map(square, 0..20);
    drop(fillers);
    assert_eq!(results?.len(), 20);
    assert_eq!(pool.workers_lost(), 1);
    Ok(())
}

fn limit_descriptors(number: u64) -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(number), ..limit })?)
}

/// Takes all descriptors that there are.
fn fill_descriptors() -> Result<Vec<OwnedFd>, Failure> {
    limit_descriptors(128)?;
    Ok(std::iter::from_fn(|| rustix::io::dup(rustix::stdio::stdin()).ok()).collect())
}

/// The lowest number such that all descriptors of this process are below.
fn next_descriptor() -> u64 {
    procfs::open_descriptors().last().map_or(0, |last| u64::from(last.cast_unsigned()) + 1)
}
