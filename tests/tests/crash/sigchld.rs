//! Programs that take the exit status of our children away from us.

use multiproc::{Context, Failure, ProcessError};
use multiproc_tests::{TestResult, context_named, each_start_method, held, in_child, name_of};
use rustix::process::{WaitOptions, wait};

each_start_method! { program_that_ignores_sigchld, program_that_waits_for_any_child }

fn program_that_ignores_sigchld(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), ignore_children, (name_of(ctx),))
}

fn program_that_waits_for_any_child(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), reap_everything, (name_of(ctx),))
}

fn ignore_children(method: String) -> Result<(), Failure> {
    // SAFETY: Nothing runs on the signal.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    children_end(&method)
}

fn reap_everything(method: String) -> Result<(), Failure> {
    std::thread::spawn(|| {
        loop {
            // Fails while there are no children.
            if wait(WaitOptions::empty()).is_err() {
                std::thread::yield_now();
            }
        }
    });
    children_end(&method)
}

/// No join hangs, no result is lost, and no exit code is wrong: it is known or 255.
fn children_end(method: &str) -> Result<(), Failure> {
    let ctx = context_named(method);
    for _ in 0..20 {
        let process = ctx.start(|| 7, ())?;
        assert_eq!(process.result()?, 7);
        assert_eq!(process.exitcode(), Some(0));

        let process = ctx.start(exit_with_eight, ())?;
        process.join()?;
        assert!(matches!(process.exitcode(), Some(8 | 255)), "{process:?}");
        match process.result() {
            Err(ProcessError::Exited { code: 8 } | ProcessError::ExitUnknown) => {}
            other => panic!("{other:?}"),
        }

        let (process, _line) = held(&ctx).map_err(|err| err.to_string())?;
        process.kill()?;
        process.join()?;
        assert!(matches!(process.exitcode(), Some(-9 | 255)), "{process:?}");
        assert!(!process.is_alive());
    }
    Ok(())
}

fn exit_with_eight() {
    multiproc::exit(8);
}
