//! Starts with any number of free descriptors: each works completely or is an error that leaves nothing.

use std::os::fd::OwnedFd;

use multiproc::{Context, Failure, wire::Fd};
use multiproc_tests::{
    TestResult, context_named, each_start_method, held, in_child, ledger::Ledger, name_of, once,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

each_start_method! { start_with_few_free_descriptors, daemonic_start_with_few_free_descriptors }

once! { fork_server_without_descriptors_serves_again, fork_server_with_many_children_of_others_serves_its_owner }

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

fn fork_server_with_many_children_of_others_serves_its_owner() -> TestResult {
    in_child(&Context::spawn(), fill_fork_server, ())
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
            let mut fillers: Vec<OwnedFd> =
                std::iter::from_fn(|| rustix::io::dup(rustix::stdio::stdin()).ok()).collect();
            fillers.truncate(fillers.len() - free);

            let started = ctx.process().daemon(daemon).start(|| 7, ());

            let outcome = match started {
                Ok(process) => {
                    assert_eq!(
                        process.result()?,
                        7,
                        "with {free} free descriptors it started and did not work"
                    );
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
            before
                .check(&format!("a start with {free} free descriptors, which worked: {outcome}"))?;
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
    for number in [16, 20, 24, 28, 60] {
        let many: Vec<_> = (0..number)
            .map(|_| rustix::io::dup(rustix::stdio::stdin()).map(Fd))
            .collect::<Result<_, _>>()?;
        match ctx.start(|many: Vec<Fd<OwnedFd>>| many.len(), (many,)) {
            Ok(process) => {
                let counted = process
                    .result()
                    .map_err(|err| format!("with {number} descriptors it started: {err}"))?;
                assert_eq!(counted, number);
            }
            Err(err) => assert!(err.is_exhausted(), "{err:?}"),
        }
        let next = ctx.start(|| 7, ())?.result();
        assert_eq!(next.map_err(|err| format!("after one with {number} descriptors: {err}"))?, 7);
    }
    multiproc::stop_forkserver();
    before.check("an exhausted fork server")?;
    Ok(())
}

/// The server holds a socket for each process that it has made for others than the one who started it.
fn fill_fork_server() -> Result<(), Failure> {
    multiproc::stop_forkserver();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(32), ..limit })?;
    let (other, line) = start_other()?;

    assert_eq!(Context::forkserver().start(|| 7, ())?.result()?, 7);

    line.send(&())?;
    other.result()??;
    Ok(())
}

type Other = (multiproc::Process<Result<(), Failure>>, held::Line);

fn start_other() -> Result<Other, Failure> {
    let (ours, theirs) = multiproc::pipe()?;
    let other =
        Context::forkserver().process().daemon(true).start(have_many_children, (theirs,))?;
    ours.recv()?;
    Ok((other, ours))
}

fn have_many_children(line: held::Line) -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    let ctx = Context::forkserver();
    let children: Vec<_> =
        (0..40).map(|_| held(&ctx)).collect::<Result<_, _>>().map_err(|err| err.to_string())?;
    held::wait_for_word(line);
    for (child, line) in children {
        line.send(&())?;
        child.join()?;
    }
    Ok(())
}
