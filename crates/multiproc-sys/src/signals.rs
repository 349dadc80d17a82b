//! Signals of a process that serves others: ignoring one, and reading those that announce dead children.

#![expect(unsafe_code, reason = "sigaction(2) and signalfd(2)")]

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    ptr,
};

use crate::attributes::{set_signal_mask, signal_mask};

/// A signal whose handling a server changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt = libc::SIGINT,
    /// SIGTERM: a polite request to end.
    Terminate = libc::SIGTERM,
    /// SIGCHLD: a child has ended.
    Child = libc::SIGCHLD,
}

impl Signal {
    /// This signal's bit in a mask of signals.
    #[must_use]
    pub const fn bit(self) -> u64 {
        1 << (self as i32 - 1)
    }
}

/// What a process did on a signal before it was told to do otherwise.
pub struct Disposition {
    signal: Signal,
    action: libc::sigaction,
}

impl Disposition {
    /// Ignores `signal` from now on; returns what was done before.
    #[must_use]
    pub fn ignore(signal: Signal) -> Self {
        Self::set(signal, libc::SIG_IGN)
    }

    /// Does what is the default for `signal` from now on; returns what was done before.
    #[must_use]
    pub fn default(signal: Signal) -> Self {
        Self::set(signal, libc::SIG_DFL)
    }

    fn set(signal: Signal, handler: libc::sighandler_t) -> Self {
        let mut before = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: Plain data, for which zeroes are valid.
        let mut action = unsafe { before.assume_init_read() };
        action.sa_sigaction = handler;
        // SAFETY: Both point to memory of the right type, and neither handler is code.
        unsafe { libc::sigaction(signal as i32, &raw const action, before.as_mut_ptr()) };
        // SAFETY: Zeroes, or what the call wrote.
        Self { signal, action: unsafe { before.assume_init() } }
    }

    /// Does on the signal what was done before.
    pub fn restore(&self) {
        // SAFETY: The action was this process's own.
        unsafe { libc::sigaction(self.signal as i32, &raw const self.action, ptr::null_mut()) };
    }

    /// True if the signal was ignored.
    #[must_use]
    pub fn was_ignored(&self) -> bool {
        self.action.sa_sigaction == libc::SIG_IGN
    }
}

impl std::fmt::Debug for Disposition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disposition").field("signal", &self.signal).finish_non_exhaustive()
    }
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
        let first = Disposition::ignore(Signal::Interrupt);
        assert!(Disposition::ignore(Signal::Interrupt).was_ignored());
        first.restore();
        let restored = Disposition::ignore(Signal::Interrupt);
        assert_eq!(restored.was_ignored(), first.was_ignored());
        restored.restore();
    }
}
