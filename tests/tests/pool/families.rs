//! Pools in processes that are workers themselves, and pools whose owner dies.

use multiproc::{Connection, Context, Failure, Pool, TaskError, pipe};
use multiproc_tests::{TestResult, context_named, each_start_method, in_child, name_of, procfs};

use crate::{pool, square};

each_start_method! {
    workers_may_have_pools, workers_die_with_their_owner, pool_is_only_a_memory_in_a_copy, owner_may_leave_without_a_word,
}

// complaint: 18
fn workers_may_have_pools(ctx: &Context) -> TestResult {
    let outer = pool(ctx, 2)?;
    let items: Vec<_> = (0..4).map(|n| (name_of(ctx), n)).collect();
    let sums = outer.map(sum_in_a_pool, items)?;
    assert_eq!(sums, (0..4).map(|n| Ok((0..=n * 10).map(square).sum())).collect::<Vec<_>>());
    Ok(())
}

fn sum_in_a_pool((method, n): (String, u64)) -> Result<u64, TaskError> {
    let inner =
        pool(&context_named(&method), 2).map_err(|err| TaskError::PoolBroken(err.to_string()))?;
    Ok(inner.map(square, 0..=n * 10)?.into_iter().sum())
}

// complaint: 19
fn workers_die_with_their_owner(ctx: &Context) -> TestResult {
    for is_busy in [false, true] {
        let (ours, theirs) = pipe::<(), u32>()?;
        let owner =
            ctx.process().daemon(false).start(own_a_pool, (name_of(ctx), theirs, is_busy))?;
        let pids = [ours.recv()?, ours.recv()?];
        owner.kill()?;
        owner.join()?;
        // By the watchdog, this ends.
        pids.into_iter().for_each(procfs::wait_until_ended);
    }
    Ok(())
}

fn own_a_pool(method: String, line: Connection<u32, ()>, is_busy: bool) -> Result<(), Failure> {
    let pool = pool(&context_named(&method), 2)?;
    // As many as say it at the same time are as many workers.
    let both = std::thread::scope(|scope| {
        let say = || {
            let theirs = multiproc_tests::held::duplicate(&line)
                .map_err(|err| TaskError::Encode(err.to_string()))?;
            pool.apply(say_pid, (theirs, is_busy))
        };
        let both = [scope.spawn(say), scope.spawn(say)];
        both.map(|one| one.join())
    });
    // When it is not to be busy, it waits here to be killed.
    line.recv()?;
    Err(Failure::new(format!("{both:?}")))
}

/// Says the pid of each worker once: it waits for the other to be there, too.
fn say_pid(line: Connection<u32, ()>, is_busy: bool) {
    let _ = line.send(&std::process::id());
    if is_busy {
        let _ = line.recv();
    }
}

fn pool_is_only_a_memory_in_a_copy(ctx: &Context) -> TestResult {
    // A fork of the owner has the pool's memory, but none of its workers.
    in_child(&Context::spawn(), copy_an_owner, (name_of(ctx),))
}

static POOL: std::sync::OnceLock<Pool> = std::sync::OnceLock::new();

fn copy_an_owner(method: String) -> Result<(), Failure> {
    let pool = POOL.get_or_init(|| pool(&context_named(&method), 2).unwrap());
    assert_eq!(pool.apply(square, (3,))?, 9);
    let copy = Context::fork()
        .allow_threads()
        .start(|| POOL.get().map(|pool| pool.apply(square, (4,))), ())?;
    assert_eq!(copy.result()?, Some(Err(TaskError::NotRunning)));
    assert_eq!(pool.apply(square, (5,))?, 25);
    pool.terminate();
    pool.join().unwrap();
    Ok(())
}

fn owner_may_leave_without_a_word(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<(), u32>()?;
    let owner = ctx.process().daemon(false).start(leave_with_a_pool, (name_of(ctx), theirs))?;
    let pid = ours.recv()?;
    owner.join()?;
    assert_eq!(owner.exitcode(), Some(0));
    procfs::wait_until_ended(pid);
    Ok(())
}

fn leave_with_a_pool(method: String, line: Connection<u32, ()>) -> Result<(), Failure> {
    let pool = pool(&context_named(&method), 2)?;
    line.send(&pool.apply(std::process::id, ())?)?;
    std::mem::forget(pool);
    Ok(())
}
