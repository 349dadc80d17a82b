//! Being killed by the kernel when another process ends.
//!
//! The other process holds the write end of a pipe and nobody else does; we hold the read end. When that process ends,
//! however it ends, the kernel closes the write end. Two ways to die of it:
//!
//! 1. Signal-driven I/O: the read end is told to send `SIGKILL` to us when something happens to it. This takes no
//!    thread and no memory, and no code of ours has to run. The setting belongs to an open file description, so each
//!    process opens the pipe anew through `/proc`.
//! 2. Where that is refused, a thread that waits for the end of the pipe.
//!
//! `PR_SET_PDEATHSIG` serves neither: it fires when the parent's *thread* ends.

#![expect(unsafe_code, reason = "fcntl commands that rustix does not have")]

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::Instant,
};

use rustix::{
    fs::{Mode, OFlags, open},
    pipe::{PipeFlags, pipe_with},
};

use crate::{
    poll,
    switch::{Feature, without},
};

/// Makes a pipe whose read end is at its end once every process that holds the write end has ended.
///
/// # Errors
///
/// `EMFILE`, `ENFILE`.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

/// Returns true if the write end of `line` is gone.
///
/// # Errors
///
/// What `poll(2)` reports.
pub fn is_cut(line: BorrowedFd<'_>) -> io::Result<bool> {
    poll::wait_readable(line, Some(Instant::now()))
}

/// Has this process killed (SIGKILL) when the write end of `line` is gone; at once if it already is.
///
/// Where the kernel's own way is not to be had, `start_thread` makes the thread that watches, so that the caller knows
/// which of its threads is one of ours.
///
/// # Errors
///
/// What `start_thread` reports.
pub fn die_with(
    line: BorrowedFd<'_>,
    start_thread: impl FnOnce(Box<dyn FnOnce() + Send>) -> io::Result<()>,
) -> io::Result<()> {
    match arm(line) {
        Ok(armed) => {
            // It must stay open for as long as this process lives, and nobody has a use for it.
            std::mem::forget(armed);
        }
        Err(_) => {
            let line = line.try_clone_to_owned()?;
            start_thread(Box::new(move || watch(&line)))?;
        }
    }
    if is_cut(line)? {
        kill_self();
    }
    Ok(())
}

/// The command that chooses the signal, the same number on every architecture of Linux; `libc` lacks it.
pub(crate) const F_SETSIG: libc::c_int = 10;

fn arm(line: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    if without(Feature::Sigio) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let path = format!("/proc/self/fd/{}", line.as_raw_fd());
    let line = open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    let me = rustix::process::getpid().as_raw_nonzero().get();
    control(&line, F_SETSIG, libc::SIGKILL)?;
    control(&line, libc::F_SETOWN, me)?;
    control(&line, libc::F_SETFL, libc::O_ASYNC | libc::O_NONBLOCK)?;
    Ok(line)
}

fn control(fd: &OwnedFd, command: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: The commands used here take a plain integer.
    match unsafe { libc::fcntl(fd.as_raw_fd(), command, value) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn watch(line: &OwnedFd) {
    while !poll::wait_readable(line.as_fd(), None).unwrap_or(true) {}
    kill_self();
}

fn kill_self() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}
