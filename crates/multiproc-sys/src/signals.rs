//! Signals of a process that serves others: ignoring one, and reading those that announce dead children.

#![expect(unsafe_code, reason = "sigaction(2) and signalfd(2)")]

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    ptr,
};

use crate::attributes::{set_signal_mask, signal_mask};

/// What a process did on SIGINT before it was told to ignore it.
pub struct Disposition(libc::sigaction);

impl std::fmt::Debug for Disposition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Disposition").field(&self.0.sa_sigaction).finish()
    }
}

/// Ignores SIGINT (Ctrl-C) from now on; returns what was done before.
#[must_use]
pub fn ignore_interrupt() -> Disposition {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: Plain data, for which zeroes are valid: the default action.
    let mut ignore = unsafe { action.assume_init_read() };
    ignore.sa_sigaction = libc::SIG_IGN;
    // SAFETY: Both point to memory of the right type, and ignoring installs no code.
    unsafe { libc::sigaction(libc::SIGINT, &raw const ignore, action.as_mut_ptr()) };
    // SAFETY: Zeroes, or what the call wrote.
    Disposition(unsafe { action.assume_init() })
}

impl Disposition {
    /// Does on SIGINT what was done before.
    pub fn restore(&self) {
        // SAFETY: The action was this process's own.
        unsafe { libc::sigaction(libc::SIGINT, &raw const self.0, ptr::null_mut()) };
    }
}

/// Whether this process ignores SIGINT.
#[must_use]
pub fn is_interrupt_ignored() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: Reads the present action into a buffer of its type.
    unsafe { libc::sigaction(libc::SIGINT, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: Zeroes, or what the call wrote.
    unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// A descriptor that becomes readable when a child of this process has ended.
#[derive(Debug)]
pub struct ChildSignals(OwnedFd);

impl ChildSignals {
    /// Blocks SIGCHLD in the calling thread and opens the descriptor.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn open() -> io::Result<Self> {
        let set: u64 = 1 << (libc::SIGCHLD - 1);
        set_signal_mask(signal_mask() | set);
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: The kernel reads eight bytes of `set`.
        let fd = unsafe {
            libc::syscall(libc::SYS_signalfd4, -1, &raw const set, size_of::<u64>(), flags)
        };
        match i32::try_from(fd) {
            // SAFETY: The kernel has just opened it for us.
            Ok(fd) if fd >= 0 => Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) })),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Takes all announcements that are there.
    pub fn clear(&self) {
        let mut buffer = [0u8; size_of::<libc::signalfd_siginfo>()];
        while rustix::io::read(&self.0, &mut buffer).is_ok_and(|read| read > 0) {}
    }
}

impl AsFd for ChildSignals {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for ChildSignals {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupt_is_ignored_and_restored() {
        let before = is_interrupt_ignored();
        let disposition = ignore_interrupt();
        assert!(is_interrupt_ignored());
        disposition.restore();
        assert_eq!(is_interrupt_ignored(), before);
    }
}
