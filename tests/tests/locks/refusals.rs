//! Kernels and sandboxes that cannot help: by the switch, and by refused system calls.

use std::process::Command;

use multiproc::{
    Context, Failure, Lock, Semaphore, connection::Sender, simplex, synchronize::Acquired,
};
use multiproc_tests::{TestResult, once, once_alone, refusal};

once! {
    without_the_robust_list,
    without_waiting_for_several_words,
    without_pidfds,
    without_sibling_forks,
    without_any,
}
once_alone! {
    robust_list_is_unknown, robust_list_is_forbidden,
    waiting_for_several_words_is_unknown, waiting_for_several_words_is_forbidden,
    pidfds_are_unknown, pidfds_are_forbidden,
    all_are_unknown, all_are_forbidden,
}

fn without_the_robust_list() -> TestResult {
    without("robust_list")
}

fn without_waiting_for_several_words() -> TestResult {
    without("futex_waitv")
}

fn without_pidfds() -> TestResult {
    without("pidfd,pidfd_info")
}

fn without_sibling_forks() -> TestResult {
    without("clone_parent")
}

fn without_any() -> TestResult {
    without("robust_list,futex_waitv,pidfd,pidfd_info,clone_parent,ofd_locks")
}

/// Runs the storms and the endings again in a process that does without some features of the kernel.
fn without(features: &str) -> TestResult {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["storms::", "--test-threads=2"]).env("MULTIPROC_WITHOUT", features);
    command.env("MULTIPROC_TEST_KILLS", "4");
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "without {features}: {said}");
    Ok(())
}

/// What the locks stand on.
const CALLS: [libc::c_long; 3] =
    [libc::SYS_get_robust_list, libc::SYS_futex_waitv, libc::SYS_pidfd_open];

fn robust_list_is_unknown() -> Result<(), Failure> {
    refused(&CALLS[..1], libc::ENOSYS)
}

fn robust_list_is_forbidden() -> Result<(), Failure> {
    refused(&CALLS[..1], libc::EPERM)
}

fn waiting_for_several_words_is_unknown() -> Result<(), Failure> {
    refused(&CALLS[1..2], libc::ENOSYS)
}

fn waiting_for_several_words_is_forbidden() -> Result<(), Failure> {
    refused(&CALLS[1..2], libc::EPERM)
}

fn pidfds_are_unknown() -> Result<(), Failure> {
    refused(&CALLS[2..], libc::ENOSYS)
}

fn pidfds_are_forbidden() -> Result<(), Failure> {
    refused(&CALLS[2..], libc::EPERM)
}

fn all_are_unknown() -> Result<(), Failure> {
    refused(&CALLS, libc::ENOSYS)
}

fn all_are_forbidden() -> Result<(), Failure> {
    refused(&CALLS, libc::EPERM)
}

/// Has a lock whose holder is killed, in a process that may not make some system calls.
fn refused(calls: &[libc::c_long], errno: i32) -> Result<(), Failure> {
    refusal::refuse(calls, errno).map_err(|err| Failure::new(err.to_string()))?;
    let work = || -> TestResult {
        let (lock, semaphore) = (Lock::new()?, Semaphore::new(0)?);
        let ctx = Context::fork().allow_threads();
        let (ready, say) = simplex::<()>()?;
        let holder = ctx.process().daemon(true).start(hold, (lock.clone(), say))?;
        ready.recv()?;
        let args = (lock.clone(), semaphore.clone());
        let waiter = ctx.start(wait, args)?;
        holder.kill()?;
        semaphore.acquire()?;
        assert!(waiter.result()?);
        holder.join()?;
        Ok(())
    };
    work().map_err(|err| Failure::new(err.to_string()))
}

fn hold(lock: Lock, say: Sender<()>) {
    lock.acquire().unwrap();
    say.send(&()).unwrap();
    loop {
        std::thread::park();
    }
}

fn wait(lock: Lock, semaphore: Semaphore) -> bool {
    let acquired = lock.acquire().unwrap();
    semaphore.release().unwrap();
    acquired == Acquired::OwnerDied
}
