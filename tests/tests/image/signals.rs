//! What a copy finds done on signals.
#![expect(unsafe_code, reason = "blocks a signal and sets a handler by way of libc")]

use std::{env, fs, mem, ptr};

use multiproc::{Context, Failure, set_executable};
use multiproc_tests::TestResult;

multiproc_tests::each_start_method! {
    blocked_signals_are_those_of_the_starter,
}
multiproc_tests::once_alone! {
    chosen_executable_has_them_too,
    signal_before_the_hook_ends_the_child,
    blocked_signal_before_the_hook_is_kept,
}

fn blocked_signals_are_those_of_the_starter(ctx: &Context) -> TestResult {
    let before = blocked()?;
    assert_eq!(ctx.start(blocked, ())?.result()??, before);

    let ours = change(libc::SIG_BLOCK, libc::SIGUSR2)?;
    let child = ctx.start(blocked, ())?;
    change(libc::SIG_UNBLOCK, libc::SIGUSR2)?;
    assert_ne!(ours, before);
    assert_eq!(child.result()??, ours);
    assert_eq!(blocked()?, before, "the starter's own are as before");
    Ok(())
}

fn chosen_executable_has_them_too() -> Result<(), Failure> {
    set_executable(env::current_exe()?);
    let ours = change(libc::SIG_BLOCK, libc::SIGUSR2)?;
    // A handler of ours, which the copy has not got.
    extern "C" fn handler(_: libc::c_int) {}
    // SAFETY: The handler does nothing.
    unsafe { libc::signal(libc::SIGWINCH, handler as extern "C" fn(libc::c_int) as usize) };
    let child = Context::spawn().start(blocked_and_caught, ())?;
    let (mask, caught): (String, String) = child.result()??;
    set_executable(None);
    change(libc::SIG_UNBLOCK, libc::SIGUSR2)?;
    assert_eq!(mask, ours);
    let caught = u64::from_str_radix(&caught, 16)?;
    assert_eq!(caught >> (libc::SIGWINCH - 1) & 1, 0);
    Ok(())
}

/// SIGTERM right after the start ends the child as it would later, however far it has come.
fn signal_before_the_hook_ends_the_child() -> Result<(), Failure> {
    for _ in 0..20 {
        let child = Context::spawn().start(std::thread::park, ())?;
        child.terminate()?;
        child.join()?;
        assert_eq!(child.exitcode(), Some(-libc::SIGTERM));
    }
    Ok(())
}

/// One that the starter has blocked waits in the child, too.
fn blocked_signal_before_the_hook_is_kept() -> Result<(), Failure> {
    change(libc::SIG_BLOCK, libc::SIGTERM)?;
    let (go, told) = multiproc::connection::pipe::<(), ()>()?;
    let child = Context::spawn().start(pending_when_told, (told,))?;
    child.terminate()?;
    go.send(&())?;
    let pending = u64::from_str_radix(&child.result()??, 16)?;
    change(libc::SIG_UNBLOCK, libc::SIGTERM)?;
    assert_eq!(pending >> (libc::SIGTERM - 1) & 1, 1);
    Ok(())
}

fn pending_when_told(told: multiproc::connection::Connection<(), ()>) -> Result<String, Failure> {
    told.recv()?;
    line("ShdPnd:")
}

fn blocked() -> Result<String, Failure> {
    line("SigBlk:")
}

fn blocked_and_caught() -> Result<(String, String), Failure> {
    Ok((blocked()?, line("SigCgt:")?))
}

/// The rest of a line of this thread's status.
fn line(name: &str) -> Result<String, Failure> {
    let status = fs::read_to_string("/proc/thread-self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    Ok(line.ok_or("no such line")?.trim().to_owned())
}

/// Blocks or unblocks a signal in this thread; the mask after that.
fn change(how: libc::c_int, signal: libc::c_int) -> Result<String, Failure> {
    // SAFETY: A set of signals is plain data for which zeroes are valid.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: The set is live, the number that of a signal.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    // SAFETY: The set is live; the old one is not asked for.
    unsafe { libc::pthread_sigmask(how, &raw const set, ptr::null_mut()) };
    line("SigBlk:")
}
