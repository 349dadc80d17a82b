//! How processes end, and what their exit code is then.

use multiproc::{Connection, Context, active_children, at_exit, connection::wait, pipe};
use multiproc_tests::{TestResult, each_start_method, held, held::Line, procfs};

each_start_method! {
    terminated_process, killed_process, interrupted_process, codes_that_are_exited_with, process_that_does_nothing,
    code_while_it_runs_and_afterwards, asking_for_the_code_reaps, terminated_process_cleans_nothing_up,
    exit_handler_of_a_child_runs
}

// parity: process.terminate-exitcode, process.terminate-join-prompt
fn terminated_process(ctx: &Context) -> TestResult {
    let (process, _line) = held(ctx)?;
    process.terminate()?;
    process.join()?;
    assert_eq!(process.exitcode(), Some(-libc::SIGTERM));
    assert!(!process.is_alive());
    assert!(active_children().iter().all(|child| Some(child.pid()) != process.pid()));
    process.terminate()?;
    Ok(())
}

// parity: process.kill-exitcode, process.terminate-join-prompt
fn killed_process(ctx: &Context) -> TestResult {
    let (process, _line) = held(ctx)?;
    process.kill()?;
    process.join()?;
    assert_eq!(process.exitcode(), Some(-libc::SIGKILL));
    Ok(())
}

// parity: process.sigint-child
fn interrupted_process(ctx: &Context) -> TestResult {
    let (process, _line) = held(ctx)?;
    process.interrupt()?;
    process.join()?;
    assert_eq!(process.exitcode(), Some(-libc::SIGINT));
    Ok(())
}

// parity: process.exit-int-codes
fn codes_that_are_exited_with(ctx: &Context) -> TestResult {
    for (process, code) in [
        (ctx.start(exit_with_nothing, ())?, 0),
        (ctx.start(exit_with_true, ())?, 1),
        (ctx.start(exit_with_false, ())?, 0),
        (ctx.start(exit_with_eight, ())?, 8),
        (ctx.start(exit_through_std, ())?, 9),
    ] {
        process.join()?;
        assert_eq!(process.exitcode(), Some(code));
        let err = process.result().unwrap_err().to_string();
        assert_eq!(err, format!("process exited with code {code} before its function returned"));
    }
    Ok(())
}

// parity: process.no-target
fn process_that_does_nothing(ctx: &Context) -> TestResult {
    let process = ctx.start(|| (), ())?;
    process.join()?;
    assert_eq!(process.exitcode(), Some(0));
    Ok(())
}

// parity: process.exitcode-lifecycle
fn code_while_it_runs_and_afterwards(ctx: &Context) -> TestResult {
    let (process, line) = held(ctx)?;
    assert_eq!(process.exitcode(), None);
    line.send(&())?;
    process.join()?;
    assert_eq!(process.exitcode(), Some(0));

    let raised = ctx.start(|| panic!("expected by the test"), ());
    let raised: multiproc::Process<()> = raised?;
    raised.join()?;
    assert_eq!(raised.exitcode(), Some(1));
    let returned = ctx.start(|| Err::<(), _>("expected by the test".to_string()), ())?;
    returned.join()?;
    assert_eq!(returned.exitcode(), Some(1));
    let signalled = ctx.start(abort, ())?;
    signalled.join()?;
    assert_eq!(signalled.exitcode(), Some(-libc::SIGABRT));
    Ok(())
}

// parity: process.exitcode-nonblocking, process.is-alive-window
fn asking_for_the_code_reaps(ctx: &Context) -> TestResult {
    let (process, line) = held(ctx)?;
    let pid = process.pid().ok_or("it is started")?;
    // It blocks for ever if this did.
    assert_eq!(process.exitcode(), None);

    line.send(&())?;
    wait(&[&process], None)?;
    // Its parent may be the fork server, which tells of the end a moment after it.
    while process.exitcode().is_none() {
        std::thread::yield_now();
    }
    assert_eq!(process.exitcode(), Some(0));
    assert_eq!(procfs::state(pid), None, "it is no zombie");

    let (asked, line) = held(ctx)?;
    line.send(&())?;
    while asked.is_alive() {
        std::thread::yield_now();
    }
    assert_eq!(
        procfs::state(asked.pid().ok_or("it is started")?),
        None,
        "nor is one that was asked whether it lives"
    );
    Ok(())
}

// parity: process.terminate-skips-cleanup
fn terminated_process_cleans_nothing_up(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<(), String>()?;
    let (line, their_line) = pipe()?;
    let process = ctx.process().daemon(true).start(leave_traces, (theirs, their_line))?;
    line.recv()?;

    process.terminate()?;
    process.join()?;

    assert_eq!(process.exitcode(), Some(-libc::SIGTERM));
    assert!(
        !ours.poll(std::time::Duration::ZERO)? || ours.recv().is_err(),
        "something ran in a process that was ended"
    );

    // The same function, left in peace, does leave traces.
    let (ours, theirs) = pipe::<(), String>()?;
    let (line, their_line) = pipe()?;
    let process = ctx.start(leave_traces, (theirs, their_line))?;
    line.recv()?;
    line.send(&())?;
    process.join()?;
    assert_eq!((ours.recv()?, ours.recv()?), ("dropped".into(), "exit handler".into()));
    Ok(())
}

// parity: process.atexit-in-child
fn exit_handler_of_a_child_runs(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<(), String>()?;
    let process = ctx.start(register_exit_handler, (theirs,))?;
    assert_eq!(process.result()?, "returned");
    assert_eq!(ours.recv()?, "exit handler");
    assert_eq!(process.exitcode(), Some(0));
    Ok(())
}

fn exit_with_nothing() {
    multiproc::exit(());
}

fn exit_with_true() {
    multiproc::exit(true);
}

fn exit_with_false() {
    multiproc::exit(false);
}

fn exit_with_eight() {
    multiproc::exit(8);
}

fn exit_through_std() {
    std::process::exit(9);
}

fn abort() {
    std::process::abort();
}

/// Says that it was dropped.
struct Trace(Connection<String, ()>);

impl Drop for Trace {
    fn drop(&mut self) {
        self.0.send(&"dropped".into()).unwrap();
    }
}

fn leave_traces(traces: Connection<String, ()>, line: Line) {
    let at_end = multiproc_tests::held::duplicate(&traces).unwrap();
    at_exit(move || at_end.send(&"exit handler".into()).unwrap());
    let _trace = Trace(traces);
    multiproc_tests::held::wait_for_word(line);
}

fn register_exit_handler(traces: Connection<String, ()>) -> String {
    at_exit(move || traces.send(&"exit handler".into()).unwrap());
    "returned".into()
}
