//! Hearing of Ctrl-C once, instead of being ended by it.

#![expect(unsafe_code, reason = "a handler for SIGINT")]

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    ptr,
};

use rustix::event::{EventfdFlags, eventfd};

use crate::primitive::{AtomicI32, AtomicU32, Ordering};

/// Invariant: -1, or a descriptor that is never closed.
static BELL: AtomicI32 = AtomicI32::new(-1);
/// The process whose bell it is.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// Becomes readable at the next SIGINT, which then does nothing else; the one after that ends the process, unless
/// [`arm`](Self::arm) is called again.
#[derive(Debug)]
pub struct InterruptBell(OwnedFd);

impl InterruptBell {
    /// Makes the bell of this process, not yet armed. It stays for good.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new() -> io::Result<&'static Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC)?;
        let bell: &'static Self = Box::leak(Box::new(Self(bell)));
        // In this order: a forked child that has inherited the handler must not find itself the owner of its parent's.
        BELL.store(bell.0.as_raw_fd(), Ordering::Release);
        OWNER.store(std::process::id(), Ordering::Release);
        Ok(bell)
    }

    /// Has the next SIGINT ring. Where SIGINT is ignored, it stays so.
    pub fn arm(&self) {
        let mut before = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: Only asks; the memory is of the right type.
        unsafe { libc::sigaction(libc::SIGINT, ptr::null(), before.as_mut_ptr()) };
        // SAFETY: Zeroes, or what the call wrote.
        let mut action = unsafe { before.assume_init() };
        if action.sa_sigaction == libc::SIG_IGN {
            return;
        }
        action.sa_sigaction = ring as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESETHAND | libc::SA_RESTART;
        // SAFETY: The handler does nothing but what a signal handler may do.
        unsafe { libc::sigaction(libc::SIGINT, &raw const action, ptr::null_mut()) };
    }

    /// Waits until it has rung.
    pub fn wait(&self) {
        let mut count = [0; 8];
        while rustix::io::read(self.0.as_fd(), &mut count).is_err() {}
    }
}

extern "C" fn ring(signal: libc::c_int) {
    // SAFETY: Takes nothing and only returns a number.
    let process = unsafe { libc::getpid() };
    if OWNER.load(Ordering::Acquire) != process.cast_unsigned() {
        // A copy of the process that armed it: its own default is back already.
        // SAFETY: Plain numbers.
        unsafe { libc::raise(signal) };
        return;
    }
    let one = 1u64;
    // SAFETY: The location of the calling thread's errno is always valid.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: As above.
    let before = unsafe { *errno };
    // SAFETY: Eight bytes are read from a number that lives as long as the call.
    unsafe { libc::write(BELL.load(Ordering::Acquire), (&raw const one).cast(), size_of::<u64>()) };
    // SAFETY: As above. Whoever was interrupted finds it as it was.
    unsafe { *errno = before };
}
