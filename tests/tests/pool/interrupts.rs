//! Ctrl-C.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use multiproc::{Connection, Context, Failure, Pool, TaskError, pipe};
use multiproc_tests::{
    TestResult, context_named, each_start_method, in_child, ledger::Ledger, name_of, procfs,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::square;

each_start_method! { interrupt_is_the_programs_again_after_the_pool, own_handler_is_back_after_the_pool, interrupt_ends_the_pool_and_not_the_program, interrupt_by_default_ends_the_program_and_its_workers, workers_ignore_it }

fn interrupt(pid: u32) -> TestResult {
    let pid = Pid::from_raw(pid.cast_signed()).ok_or("a process has a number")?;
    Ok(kill_process(pid, Signal::INT)?)
}

fn sleep(_: u32) {
    thread::sleep(Duration::from_secs(3600));
}

// complaint: 13
fn interrupt_ends_the_pool_and_not_the_program(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<(), String>()?;
    let owner = Context::spawn()
        .process()
        .daemon(false)
        .start(own_until_interrupted, (name_of(ctx), theirs))?;
    assert_eq!(ours.recv()?, "ready");
    let pid = owner.pid().ok_or("it runs")?;
    interrupt(pid)?;
    assert_eq!(ours.recv()?, "interrupted, nothing is left");
    // The second does what the first would have done.
    interrupt(pid)?;
    owner.join()?;
    assert_eq!(owner.exitcode(), Some(-libc::SIGINT));
    Ok(())
}

fn own_until_interrupted(method: String, line: Connection<String, ()>) -> Result<(), Failure> {
    default_for_interrupts();
    let ctx = context_named(&method);
    multiproc::stop_forkserver();
    ctx.start(|| (), ())?.join()?;
    multiproc::stop_forkserver();
    drop(Pool::builder().processes(1).context(ctx.clone()).cancel_on_interrupt().build()?);
    multiproc::stop_forkserver();
    let before = Ledger::take();
    let pool = Pool::builder().processes(2).context(ctx).cancel_on_interrupt().build()?;
    assert_eq!(pool.apply(square, (3,))?, 9);
    line.send(&"ready".to_string())?;
    assert_eq!(pool.map(sleep, 0..10), Err(TaskError::Interrupted));
    assert_eq!(pool.apply(square, (3,)), Err(TaskError::Interrupted), "then, too");
    drop(pool);
    multiproc::stop_forkserver();
    before.check("an interrupt")?;
    line.send(&"interrupted, nothing is left".to_string())?;
    line.recv()?;
    Ok(())
}

fn interrupt_is_the_programs_again_after_the_pool(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<(), String>()?;
    let owner =
        Context::spawn().process().daemon(false).start(leave_the_pool, (name_of(ctx), theirs))?;
    assert_eq!(ours.recv()?, "ready");
    interrupt(owner.pid().ok_or("it runs")?)?;
    // Does it live, it leaves now.
    let _ = ours.send(&());
    owner.join()?;
    assert_eq!(owner.exitcode(), Some(-libc::SIGINT));
    Ok(())
}

fn leave_the_pool(method: String, line: Connection<String, ()>) -> Result<(), Failure> {
    default_for_interrupts();
    for _ in 0..2 {
        let ctx = context_named(&method);
        let pool = Pool::builder().processes(1).context(ctx).cancel_on_interrupt().build()?;
        assert_eq!(pool.apply(square, (3,))?, 9);
    }
    line.send(&"ready".to_string())?;
    Ok(line.recv()?)
}

fn own_handler_is_back_after_the_pool(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), interrupt_with_a_handler, (name_of(ctx),))
}

static HANDLED: AtomicU32 = AtomicU32::new(0);

extern "C" fn handle(_signal: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

fn interrupt_with_a_handler(method: String) -> Result<(), Failure> {
    // SAFETY: The handler does nothing but count.
    unsafe { libc::signal(libc::SIGINT, handle as extern "C" fn(libc::c_int) as usize) };
    let make = || {
        let ctx = context_named(&method);
        Pool::builder().processes(1).context(ctx).cancel_on_interrupt().build()
    };
    let raise = || {
        let before = HANDLED.load(Ordering::SeqCst);
        // SAFETY: Plain numbers. It returns when the handler has.
        unsafe { libc::raise(libc::SIGINT) };
        HANDLED.load(Ordering::SeqCst) - before
    };
    drop(make()?);
    assert_eq!(raise(), 1, "the pool is gone");
    let (pool, other) = (make()?, make()?);
    let result = pool.apply_async(sleep, (1,));
    assert_eq!(raise(), 0, "it is the pools'");
    assert_eq!(result.get(), Err(TaskError::Interrupted));
    assert_eq!(other.apply_async(sleep, (1,)).get(), Err(TaskError::Interrupted));
    assert_eq!(raise(), 1, "the second is not");
    let another = make()?;
    assert_eq!(raise(), 0);
    assert_eq!(another.apply_async(sleep, (1,)).get(), Err(TaskError::Interrupted));
    drop((pool, other, another));
    assert_eq!(raise(), 1);
    Ok(())
}

// complaint: 13
fn interrupt_by_default_ends_the_program_and_its_workers(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<(), Vec<u32>>()?;
    let owner = Context::spawn().process().daemon(false).start(own, (name_of(ctx), theirs))?;
    let workers = ours.recv()?;
    interrupt(owner.pid().ok_or("it runs")?)?;
    owner.join()?;
    assert_eq!(owner.exitcode(), Some(-libc::SIGINT));
    // By the watchdog, this ends.
    workers.into_iter().for_each(procfs::wait_until_ended);
    Ok(())
}

fn own(method: String, line: Connection<Vec<u32>, ()>) -> Result<(), Failure> {
    default_for_interrupts();
    let pool = Pool::builder().processes(2).context(context_named(&method)).build()?;
    pool.map(square, 0..10)?;
    line.send(&pool.stats().workers.iter().filter_map(|worker| worker.pid).collect())?;
    pool.map(sleep, 0..10)?;
    Ok(())
}

fn workers_ignore_it(ctx: &Context) -> TestResult {
    let pool = Pool::builder().processes(2).context(ctx.clone()).build()?;
    pool.map(square, 0..10)?;
    for worker in pool.stats().workers {
        interrupt(worker.pid.ok_or("it is a process")?)?;
    }
    assert_eq!(pool.map(square, 0..10)?.len(), 10);
    assert_eq!(pool.workers_lost(), 0);
    Ok(())
}

/// A test runner may have been started with Ctrl-C ignored.
fn default_for_interrupts() {
    // SAFETY: Plain numbers.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
}
