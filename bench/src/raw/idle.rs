//! A child that sleeps, and what it weighs.
#![expect(unsafe_code, reason = "names an inherited descriptor by its number, and pauses")]

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use rustix::{
    io::{FdFlags, fcntl_setfd},
    pipe::{PipeFlags, pipe_with},
};

use super::{Image, fork, idle_order, write_byte};
use crate::memory::{self, Memory};

/// Weighs a forked child that sleeps.
pub(crate) fn forked_idle_memory() -> io::Result<Memory> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let child = fork::fork(|| say_ready_and_wait(writer.as_raw_fd()))?;
    drop(writer);
    weigh(child, &reader)
}

/// Weighs a fresh copy of this executable that sleeps in its entry hook.
pub(crate) fn spawned_idle_memory() -> io::Result<Memory> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    fcntl_setfd(&writer, FdFlags::empty())?;
    let child = Image::new(&idle_order(writer.as_raw_fd()))?.vfork()?;
    drop(writer);
    weigh(child, &reader)
}

/// Tells that this child is as large as it will be, and sleeps until it is killed.
pub(crate) fn say_ready_and_wait(ready: RawFd) -> ! {
    // SAFETY: The parent left the descriptor open, and nothing in this process closes it.
    write_byte(unsafe { BorrowedFd::borrow_raw(ready) });
    loop {
        // SAFETY: `pause` has no preconditions.
        unsafe { libc::pause() };
    }
}

fn weigh(child: libc::pid_t, ready: &OwnedFd) -> io::Result<Memory> {
    let mut byte = [0];
    let said = rustix::io::read(ready.as_fd(), &mut byte)?;
    let memory = memory::of(child.unsigned_abs());
    fork::kill(child);
    if said == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { memory }
}
