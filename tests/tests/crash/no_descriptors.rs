//! Starts with any number of free descriptors: each works completely or is an error that leaves nothing.

use std::os::fd::OwnedFd;

use multiproc::{Context, Failure, wire::Fd};
use multiproc_tests::{TestResult, context_named, each_start_method, in_child, ledger::Ledger, name_of, once};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

each_start_method! { start_with_few_free_descriptors, daemonic_start_with_few_free_descriptors }

once! { fork_server_without_descriptors_serves_again }

/// More than any start needs at once.
const ENOUGH: usize = 40;

fn start_with_few_free_descriptors(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), start_with_each_number_of_free_descriptors, (name_of(ctx), false))
}

fn daemonic_start_with_few_free_descriptors(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), start_with_each_number_of_free_descriptors, (name_of(ctx), true))
}

fn fork_server_without_descriptors_serves_again() -> TestResult {
    in_child(&Context::spawn(), exhaust_fork_server, ())
}

fn start_with_each_number_of_free_descriptors(method: String, daemon: bool) -> Result<(), Failure> {
    let ctx = context_named(&method);
    multiproc::stop_forkserver();
    // What is made once in a process is there before the comparison.
    ctx.start(|| (), ())?.join()?;
    multiproc::stop_forkserver();
    let before = Ledger::take();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(128), ..limit })?;

    let mut worked = Vec::new();
    for warm in [false, true] {
        for free in 0..=ENOUGH {
            if warm {
                // The fork server, if there is to be one, is there.
                ctx.start(|| (), ())?.join()?;
            }
            let mut fillers: Vec<OwnedFd> = std::iter::from_fn(|| rustix::io::dup(rustix::stdio::stdin()).ok()).collect();
            fillers.truncate(fillers.len() - free);

            let started = ctx.process().daemon(daemon).start(|| 7, ());

            let outcome = match started {
                Ok(process) => {
                    assert_eq!(process.result()?, 7, "with {free} free descriptors it started and did not work");
                    assert_eq!(process.exitcode(), Some(0));
                    true
                }
                Err(err) => {
                    assert!(err.is_exhausted(), "with {free} free descriptors: {err:?}");
                    false
                }
            };
            drop(fillers);
            multiproc::stop_forkserver();
            before.check(&format!("a start with {free} free descriptors, which worked: {outcome}"))?;
            worked.push(outcome);
        }
        assert!(!worked[0], "no start needs no descriptor");
        assert!(worked[ENOUGH]);
        worked.clear();
    }
    Ok(())
}

fn exhaust_fork_server() -> Result<(), Failure> {
    let ctx = Context::forkserver();
    multiproc::stop_forkserver();
    ctx.start(|| (), ())?.join()?;
    multiproc::stop_forkserver();
    let before = Ledger::take();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(32), ..limit })?;
    ctx.start(|| (), ())?.join()?;
    setrlimit(Resource::Nofile, limit)?;
    let many: Vec<_> = (0..60).map(|_| rustix::io::dup(rustix::stdio::stdin()).map(Fd)).collect::<Result<_, _>>()?;

    match ctx.start(|many: Vec<Fd<OwnedFd>>| many.len(), (many,)) {
        Ok(process) => assert_eq!(process.result()?, 60),
        Err(err) => println!("as an error: {err:?}"),
    }

    assert_eq!(ctx.start(|| 7, ())?.result()?, 7, "the next start is served");
    multiproc::stop_forkserver();
    before.check("an exhausted fork server")?;
    Ok(())
}
