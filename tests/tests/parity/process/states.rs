//! What a handle says before the start, while the process runs, and after its end.

use std::{
    os::fd::{AsFd, AsRawFd},
    sync::Mutex,
    time::Duration,
};

use multiproc::{
    Context, Failure, HandleError, Process, StartError, StillRunning, active_children,
    connection::wait, current_process,
};
use multiproc_tests::{
    TestResult, context_named, each_start_method, held, held_by, in_child, name_of, once,
};

each_start_method! {
    process_before_its_start, process_that_runs, process_that_has_ended, second_start_is_refused,
    running_process_cannot_be_closed, started_process_keeps_its_daemon_flag, text_tells_the_state
}

once! { inherited_handle_is_of_unknown_state }

// parity: process.before-start-state, process.sentinel-before-start, process.join-before-start
// parity: process.terminate-before-start
fn process_before_its_start(ctx: &Context) -> TestResult {
    let process = ctx.process().name("never started").new(|| (), ());

    assert_eq!(*process.authkey(), current_process().authkey());
    assert!(!process.is_alive());
    assert!(active_children().iter().all(|child| child.name() != "never started"));
    assert_eq!((process.pid(), process.exitcode()), (None, None));

    let not_started =
        |err| matches!(err, HandleError::NotStarted { name } if name == "never started");
    assert!(not_started(process.sentinel().unwrap_err()));
    assert!(not_started(process.join().unwrap_err()));
    assert!(not_started(process.join_timeout(Duration::ZERO).unwrap_err()));
    assert!(not_started(process.terminate().unwrap_err()));
    assert!(not_started(process.kill().unwrap_err()));
    assert!(not_started(process.interrupt().unwrap_err()));
    process.close()?;
    Ok(())
}

// parity: process.running-state, process.is-alive-window, process.pid-lifecycle, process.sentinel-readiness
// parity: process.active-children-lifecycle
fn process_that_runs(ctx: &Context) -> TestResult {
    let (process, line) = held(ctx)?;

    let pid = process.pid().ok_or("a started process has a pid")?;
    assert!(process.is_alive());
    assert!(multiproc_tests::procfs::state(pid).is_some(), "the pid is the system's");
    assert!(active_children().iter().any(|child| child.pid() == pid));
    assert_eq!(process.exitcode(), None);
    assert!(process.sentinel()?.as_raw_fd() >= 0);
    assert_eq!(wait(&[&process], Duration::ZERO)?, [0; 0], "the sentinel is not ready");

    line.send(&())?;
    assert_eq!(wait(&[&process], None)?, [0], "the sentinel is ready");

    process.join()?;
    assert!(!process.is_alive());
    assert_eq!(process.pid(), Some(pid), "until the handle is closed");
    Ok(())
}

// parity: process.after-join-state, process.join-repeatedly
fn process_that_has_ended(ctx: &Context) -> TestResult {
    let process = ctx.start(|| (), ())?;
    let pid = process.pid();

    process.join()?;

    assert_eq!(process.exitcode(), Some(0));
    assert!(!process.is_alive());
    assert!(active_children().iter().all(|child| Some(child.pid()) != pid));
    for _ in 0..3 {
        process.join()?;
        assert!(process.join_timeout(Duration::ZERO)?);
    }
    assert_eq!(process.exitcode(), Some(0));
    process.close()?;
    Ok(())
}

// parity: process.start-once
fn second_start_is_refused(ctx: &Context) -> TestResult {
    in_child(ctx, start_twice, (name_of(ctx),))
}

// parity: process.close-running-error
fn running_process_cannot_be_closed(ctx: &Context) -> TestResult {
    let (process, line) = held(ctx)?;

    let StillRunning(process) = process.close().unwrap_err();

    assert!(process.is_alive(), "it runs, and the handle works");
    line.send(&())?;
    process.join()?;
    assert_eq!(process.exitcode(), Some(0));
    process.close()?;
    Ok(())
}

// parity: process.daemon-set-after-start
fn started_process_keeps_its_daemon_flag(ctx: &Context) -> TestResult {
    let (mut process, line) = held(ctx)?;
    assert!(matches!(process.set_daemon(false), Err(HandleError::AlreadyStarted { .. })));
    assert!(process.daemon());
    line.send(&())?;
    process.join()?;
    assert!(process.set_daemon(false).is_err());
    Ok(())
}

// parity: process.repr-states
fn text_tells_the_state(ctx: &Context) -> TestResult {
    let kind = match name_of(ctx).as_str() {
        "fork" => "ForkProcess",
        "spawn" => "SpawnProcess",
        _ => "ForkServerProcess",
    };
    let me = std::process::id();
    let initial = ctx.process().name("p").new(|| (), ());
    assert_eq!(format!("{initial:?}"), format!("<{kind} name='p' parent={me} initial>"));

    let (process, line) = held_by(ctx.process().name("p").daemon(true))?;
    let pid = process.pid().ok_or("it is started")?;
    let text = |state| format!("<{kind} name='p' pid={pid} parent={me} {state} daemon>");
    assert_eq!(format!("{process:?}"), text("started"));
    line.send(&())?;
    process.join()?;
    assert_eq!(format!("{process:?}"), text("stopped exitcode=0"));

    let (killed, _line) = held_by(ctx.process().name("p").daemon(true))?;
    killed.terminate()?;
    killed.join()?;
    assert!(format!("{killed:?}").ends_with("stopped exitcode=-SIGTERM daemon>"), "{killed:?}");
    Ok(())
}

// parity: process.repr-states
fn inherited_handle_is_of_unknown_state() -> TestResult {
    in_child(&Context::spawn(), look_through_an_inherited_handle, ())
}

fn start_twice(method: String) -> Result<(), Failure> {
    let mut process = context_named(&method).process().daemon(true).new(std::process::id, ());
    process.start()?;
    let pid = process.pid();

    assert!(matches!(process.start(), Err(StartError::AlreadyStarted { .. })));

    assert_eq!(process.pid(), pid);
    assert!(
        active_children().iter().all(|child| Some(child.pid()) == pid),
        "there is no second child"
    );
    assert_eq!(Some(process.result()?), pid);
    assert!(
        matches!(process.start(), Err(StartError::AlreadyStarted { .. })),
        "nor may it start again when it has ended"
    );
    Ok(())
}

static INHERITED: Mutex<Option<Process<()>>> = Mutex::new(None);

fn look_through_an_inherited_handle() -> Result<(), Failure> {
    let (process, line) = held(&Context::fork()).map_err(|err| err.to_string())?;
    *INHERITED.lock().unwrap() = Some(process);

    let (text, refusal, alive) = Context::fork().start(describe_inherited, ())?.result()?;

    assert!(text.ends_with("unknown daemon>"), "{text}");
    assert!(refusal.contains("is not a child of this process"), "{refusal}");
    assert!(alive, "that it runs may be seen");
    line.send(&())?;
    let process = INHERITED.lock().unwrap().take().ok_or("it is there")?;
    process.join()?;
    Ok(())
}

fn describe_inherited() -> (String, String, bool) {
    let process = INHERITED.lock().unwrap().take().unwrap();
    assert!(process.as_fd().as_raw_fd() >= 0);
    (format!("{process:?}"), process.join().unwrap_err().to_string(), process.is_alive())
}
