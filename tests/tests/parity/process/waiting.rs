//! Waiting for processes and threads.

use std::{
    sync::{
        atomic::{AtomicI32, AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use multiproc::{Connection, Context, Failure, pipe};
use multiproc_tests::{
    TestResult, context_named, each_start_method, held, in_child, name_of, procfs,
};

each_start_method! {
    join_with_a_timeout, join_survives_a_signal, threads_of_ours_are_waited_for, threads_of_std_are_not_waited_for
}

// parity: process.join-timeout-returns
fn join_with_a_timeout(ctx: &Context) -> TestResult {
    let (process, line) = held(ctx)?;
    let begun = Instant::now();

    assert!(!process.join_timeout(Duration::from_millis(100))?);

    assert!(begun.elapsed() >= Duration::from_millis(100));
    assert_eq!(process.exitcode(), None);
    line.send(&())?;
    assert!(
        process.join_timeout(Duration::from_secs(1000))?,
        "the end of the process ends the wait"
    );
    assert_eq!(process.exitcode(), Some(0));
    Ok(())
}

// parity: process.join-eintr
fn join_survives_a_signal(ctx: &Context) -> TestResult {
    let handled = in_child(ctx, join_while_signalled, (name_of(ctx),))?;
    assert_eq!(handled, 1, "the handler runs once");
    Ok(())
}

// parity: process.waits-for-threads
fn threads_of_ours_are_waited_for(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<(), String>()?;
    let process = ctx.process().daemon(true).start(leave_a_thread, (theirs,))?;
    assert_eq!(ours.recv()?, "the function has returned");

    assert!(!process.join_timeout(Duration::from_millis(100))?, "it ended under its thread");
    ours.send(&())?;

    assert_eq!(ours.recv()?, "the thread ends");
    process.join()?;
    assert_eq!(process.exitcode(), Some(0));
    Ok(())
}

// parity: process.waits-for-threads
fn threads_of_std_are_not_waited_for(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<(), String>()?;
    let process = ctx.start(leave_a_daemon_thread, (theirs,))?;

    process.join()?;

    assert_eq!(process.exitcode(), Some(0));
    assert_eq!(ours.recv()?, "the thread runs");
    Ok(())
}

static HANDLED: AtomicU32 = AtomicU32::new(0);
/// Where the handler says that it has run.
static TELL: AtomicI32 = AtomicI32::new(-1);

extern "C" fn handler(_signal: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
    // SAFETY: write(2) may be called in a handler, with a byte that lives.
    unsafe { libc::write(TELL.load(Ordering::SeqCst), [1u8].as_ptr().cast(), 1) };
}

fn join_while_signalled(method: String) -> Result<u32, Failure> {
    use std::os::fd::AsRawFd;

    let (told, tell) = std::io::pipe()?;
    TELL.store(tell.as_raw_fd(), Ordering::SeqCst);
    // SAFETY: A zeroed action is valid: no flags, so that system calls are interrupted, and an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as extern "C" fn(libc::c_int) as usize;
    // SAFETY: The handler does only what a handler may.
    unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    let (ours, theirs) = pipe::<(), ()>()?;
    let process = context_named(&method)
        .start(signal_sleeping_parent, (theirs, multiproc::wire::Fd(told)))?;

    ours.send(&())?;
    process.join()?;

    assert_eq!(process.exitcode(), Some(0));
    Ok(HANDLED.load(Ordering::SeqCst))
}

/// Signals the parent once it sleeps, which after its word only `join` does, and ends when the signal was handled.
fn signal_sleeping_parent(
    line: Connection<(), ()>,
    mut told: multiproc::wire::Fd<std::io::PipeReader>,
) {
    use std::io::Read;

    line.recv().unwrap();
    let parent = multiproc::parent_process().unwrap().pid();
    while procfs::state(parent) != Some('S') {
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_raw(parent.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::USR1).unwrap();
    told.read_exact(&mut [0]).unwrap();
}

/// Leaves a thread behind that outlives the function, says so, and waits for a word.
fn leave_a_thread(line: Connection<String, ()>) {
    let (returned, returns) = mpsc::channel::<()>();
    multiproc::thread::spawn(move || {
        assert!(returns.recv().is_err(), "ends when the function drops its end");
        line.send(&"the function has returned".into()).unwrap();
        line.recv().unwrap();
        line.send(&"the thread ends".into()).unwrap();
    })
    .unwrap();
    drop(returned);
}

fn leave_a_daemon_thread(line: Connection<String, ()>) {
    let (tell, told) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        line.send(&"the thread runs".into()).unwrap();
        tell.send(()).unwrap();
        loop {
            std::thread::park();
        }
    });
    told.recv().unwrap();
}
