//! Starts where the system makes no process: an error, and nothing left.

use multiproc::{Context, Failure, OnPreloadError, StartError, set_forkserver_preload};
use multiproc_tests::{
    TestResult, context_named, each_start_method, in_child, ledger::Ledger, name_of, once,
    refusal::refuse_clone,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

each_start_method! { start_without_memory, start_without_a_number, start_beyond_the_limit_of_processes }

once! { fork_server_cannot_fork }

fn start_without_memory(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), start_refused, (name_of(ctx), libc::ENOMEM))
}

fn start_without_a_number(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), start_refused, (name_of(ctx), libc::EAGAIN))
}

fn start_beyond_the_limit_of_processes(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), start_as_nobody, (name_of(ctx),))
}

fn fork_server_cannot_fork() -> TestResult {
    in_child(&Context::spawn(), start_by_a_server_that_cannot_fork, ())
}

fn start_refused(method: String, errno: i32) -> Result<(), Failure> {
    let (ctx, before) = prepare(&method)?;
    refuse_clone(errno)?;
    expect_refusal(&ctx, errno)?;
    before.check("a refused start")
}

/// Root has no limit of processes, so this becomes somebody else first.
fn start_as_nobody(method: String) -> Result<(), Failure> {
    const NOBODY: u32 = 65534;

    let (ctx, before) = prepare(&method)?;
    if rustix::process::geteuid().is_root() {
        // SAFETY: Plain numbers.
        let changed = unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) };
        assert_eq!(changed, 0, "{}", std::io::Error::last_os_error());
    }
    let limit = getrlimit(Resource::Nproc);
    setrlimit(Resource::Nproc, Rlimit { current: Some(0), ..limit })?;
    expect_refusal(&ctx, libc::EAGAIN)?;
    before.check("a start beyond the limit")
}

fn start_by_a_server_that_cannot_fork() -> Result<(), Failure> {
    let (ctx, before) = prepare("forkserver")?;
    set_forkserver_preload(refuse_all, OnPreloadError::Fail);
    for _ in 0..3 {
        expect_refusal(&ctx, libc::ENOMEM)?;
    }
    multiproc::stop_forkserver();
    before.check("starts by a server that cannot fork")
}

/// What is made once in a process is there before the comparison; a fork server is not.
fn prepare(method: &str) -> Result<(Context, Ledger), Failure> {
    let ctx = context_named(method);
    multiproc::stop_forkserver();
    ctx.start(|| (), ())?.join()?;
    multiproc::stop_forkserver();
    Ok((ctx, Ledger::take()))
}

fn expect_refusal(ctx: &Context, errno: i32) -> Result<(), Failure> {
    let mut process = ctx.process().new(|| 7, ());
    let err = process.start().unwrap_err();
    assert!(err.is_exhausted(), "{err:?}");
    let StartError::Os { source, .. } = err else { panic!("{err:?}") };
    assert_eq!(source.raw_os_error(), Some(errno));
    assert!(!process.is_alive() && process.pid().is_none() && process.exitcode().is_none());
    assert!(process.join().is_err());
    Ok(())
}

fn refuse_all() {
    refuse_clone(libc::ENOMEM).unwrap();
}
