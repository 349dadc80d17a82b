//! fork, `_exit`, waitpid, kill.
#![expect(unsafe_code, reason = "calls fork, waitpid, kill and _exit of the C library")]

use std::io;

use super::checked;

/// Forks a child that exits at once, and waits for it.
pub(crate) fn fork_and_wait() -> io::Result<()> {
    let child = fork(|| exit_now(0))?;
    wait(child)
}

/// Forks a child that runs `f`.
pub(super) fn fork(f: impl FnOnce() -> libc::c_int) -> io::Result<libc::pid_t> {
    // SAFETY: The bench has one thread, so nothing in the child is left half-done by another.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        exit_now(f());
    }
    checked(pid)
}

/// Waits for a child and fails if it did not exit with 0.
pub(super) fn wait(child: libc::pid_t) -> io::Result<()> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is a live integer that the kernel may write to.
        match checked(unsafe { libc::waitpid(child, &raw mut status, 0) }) {
            Ok(_) if status == 0 => return Ok(()),
            Ok(_) => return Err(io::Error::other(format!("raw child ended with {status:#x}"))),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
}

/// Ends a child, which may have ended, and waits for it.
pub(super) fn kill(child: libc::pid_t) {
    // SAFETY: The child has not been waited for, so the number is still its own.
    unsafe { libc::kill(child, libc::SIGKILL) };
    // A killed child is never one that ended with 0.
    let _ = wait(child);
}

/// Leaves without running anything.
pub(super) fn exit_now(code: libc::c_int) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(code) }
}
