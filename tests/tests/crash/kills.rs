//! SIGKILL at random moments.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use multiproc::{Context, Failure, Process, ProcessError, StartError};
use multiproc_tests::{
    TestResult, context_named, each_start_method, held, in_child, ledger::Ledger, name_of, once,
    procfs, random::Random,
};
use rustix::process::{Pid, Signal, kill_process};

each_start_method! { children_are_killed_around_their_return, children_are_killed_around_their_start }

once! { fork_server_is_killed_again_and_again, fork_server_is_killed_while_its_children_live }

fn children_are_killed_around_their_return(ctx: &Context) -> TestResult {
    let mut random = Random::new();
    for _ in 0..200 {
        let process = ctx.start(|number: u32| number, (7,))?;
        random.dither();
        process.kill()?;
        check_end(&process)?;
    }
    Ok(())
}

fn children_are_killed_around_their_start(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), start_under_fire, (name_of(ctx), !NAMES_SERVER))
}

fn fork_server_is_killed_again_and_again() -> TestResult {
    in_child(&Context::spawn(), start_under_fire, ("forkserver".to_string(), NAMES_SERVER))
}

fn fork_server_is_killed_while_its_children_live() -> TestResult {
    in_child(&Context::spawn(), survive_the_server, ())
}

/// Whether it is the fork server that is killed, rather than everybody else.
const NAMES_SERVER: bool = true;

/// Starts processes while a thread kills children of this process.
fn start_under_fire(method: String, the_server: bool) -> Result<(), Failure> {
    let ctx = context_named(&method);
    multiproc::stop_forkserver();
    ctx.start(|| (), ())?.join()?;
    multiproc::stop_forkserver();
    let before = Ledger::take();
    let over = Arc::new(AtomicBool::new(false));
    let killer = {
        let over = over.clone();
        std::thread::spawn(move || {
            let mut random = Random::new();
            while !over.load(Ordering::Relaxed) {
                for child in procfs::children_of(std::process::id()) {
                    // What the server has just made is called like it for a moment.
                    let is_server =
                        procfs::comm(child) == "ForkServer" && procfs::has_executed(child);
                    if is_server == the_server {
                        random.dither();
                        let _ =
                            kill_process(Pid::from_raw(child.cast_signed()).unwrap(), Signal::KILL);
                    }
                }
            }
        })
    };

    let (mut started, mut refused) = (0, 0);
    for _ in 0..200 {
        match ctx.start(|number: u32| number, (7,)) {
            Ok(process) => {
                check_end(&process).map_err(|err| err.to_string())?;
                assert!(
                    !the_server || process.exitcode() == Some(0),
                    "{process:?} was not to be killed"
                );
                started += 1;
            }
            Err(StartError::Refused { .. } | StartError::Os { .. }) => refused += 1,
            Err(err) => return Err(err.into()),
        }
    }
    over.store(true, Ordering::Relaxed);
    killer.join().map_err(|_| "the killer panicked")?;
    println!("{started} started, {refused} refused");

    assert_eq!(ctx.start(|| 7, ())?.result()?, 7, "and when all is over it works");
    multiproc::stop_forkserver();
    before.check("starts under fire")
}

fn survive_the_server() -> Result<(), Failure> {
    let ctx = Context::forkserver();
    multiproc::stop_forkserver();
    ctx.start(|| (), ())?.join()?;
    multiproc::stop_forkserver();
    let before = Ledger::take();
    for _ in 0..5 {
        let running: Vec<_> =
            (0..3).map(|_| held(&ctx)).collect::<Result<_, _>>().map_err(|err| err.to_string())?;
        for server in procfs::fork_servers() {
            kill_process(Pid::from_raw(server.cast_signed()).ok_or("a pid")?, Signal::KILL)?;
        }

        assert_eq!(ctx.start(|| 7, ())?.result()?, 7, "by another server");

        for (process, line) in running {
            assert!(process.is_alive(), "the children have nothing to do with their server's end");
            line.send(&())?;
            process.join()?;
            assert_eq!(process.exitcode(), Some(0));
        }
    }
    multiproc::stop_forkserver();
    before.check("servers that were killed")
}

/// However it ended: join returns, and code and result fit together.
fn check_end(process: &Process<u32>) -> TestResult {
    process.join()?;
    match (process.exitcode(), process.result()) {
        // Killed or not, what it has returned is not lost.
        (Some(0 | -9), Ok(7)) | (Some(-9), Err(ProcessError::Signaled { signal: 9 })) => Ok(()),
        (code, result) => Err(format!("exit code {code:?} with {result:?}").into()),
    }
}
