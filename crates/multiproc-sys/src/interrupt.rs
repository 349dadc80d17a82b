//! Hearing of Ctrl-C once, instead of being ended by it.

#![expect(unsafe_code, reason = "a handler for SIGINT")]

use std::{
    fmt, io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    ptr,
    sync::{Mutex, PoisonError},
};

use rustix::event::{EventfdFlags, eventfd};

use crate::primitive::{AtomicBool, AtomicI32, AtomicU32, Ordering};

/// Invariant: -1, or a descriptor that is never closed.
static BELL: AtomicI32 = AtomicI32::new(-1);
/// The process whose bell it is.
static OWNER: AtomicU32 = AtomicU32::new(0);
/// True if it has rung since it was armed: then the kernel has set the default.
static HAS_RUNG: AtomicBool = AtomicBool::new(false);

/// Becomes readable at the next SIGINT, which then does nothing else; the one after that ends the process, or does what
/// the program wants it to do once [`disarm`](Self::disarm) has been called, unless [`arm`](Self::arm) is called again.
pub struct InterruptBell {
    bell: OwnedFd,
    /// What SIGINT did before it was armed, while it is.
    before: Mutex<Option<libc::sigaction>>,
}

impl InterruptBell {
    /// Makes the bell of this process, not yet armed. It stays for good.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new() -> io::Result<&'static Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC)?;
        let bell: &'static Self = Box::leak(Box::new(Self { bell, before: Mutex::new(None) }));
        // In this order: a forked child that has inherited the handler must not find itself the owner of its parent's.
        BELL.store(bell.bell.as_raw_fd(), Ordering::Release);
        OWNER.store(std::process::id(), Ordering::Release);
        Ok(bell)
    }

    /// Has the next SIGINT ring. Where SIGINT is ignored, it stays so.
    pub fn arm(&self) {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let mut action = present();
        if action.sa_sigaction == libc::SIG_IGN || (is_ours(&action) && before.is_some()) {
            return;
        }
        if is_ours(&action) {
            // Inherited by a fork, where it does what the default does.
            action.sa_sigaction = libc::SIG_DFL;
        }
        // If it has rung and was not disarmed, what it is to go back to is known already.
        if !(before.is_some() && has_reset(&action)) {
            *before = Some(action);
        }
        action.sa_sigaction = ring as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESETHAND | libc::SA_RESTART;
        HAS_RUNG.store(false, Ordering::Release);
        // SAFETY: The handler does nothing but what a signal handler may do.
        unsafe { libc::sigaction(libc::SIGINT, &raw const action, ptr::null_mut()) };
    }

    /// Has SIGINT do again what it did before it was [armed](Self::arm), unless the program has said otherwise since.
    pub fn disarm(&self) {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let action = present();
        if let Some(before) = before.take()
            && (is_ours(&action) || has_reset(&action))
        {
            // SAFETY: It is what the kernel had told.
            unsafe { libc::sigaction(libc::SIGINT, &raw const before, ptr::null_mut()) };
        }
    }

    /// Waits until it has rung.
    pub fn wait(&self) {
        let mut count = [0; 8];
        while rustix::io::read(self.bell.as_fd(), &mut count).is_err() {}
    }
}

impl fmt::Debug for InterruptBell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InterruptBell").field("bell", &self.bell).finish_non_exhaustive()
    }
}

/// What SIGINT does.
fn present() -> libc::sigaction {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: Only asks; the memory is of the right type.
    unsafe { libc::sigaction(libc::SIGINT, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: Zeroes, or what the call wrote.
    unsafe { action.assume_init() }
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == ring as extern "C" fn(libc::c_int) as libc::sighandler_t
}

/// True if it has rung and the kernel has set the default.
fn has_reset(action: &libc::sigaction) -> bool {
    action.sa_sigaction == libc::SIG_DFL && HAS_RUNG.load(Ordering::Acquire)
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
    HAS_RUNG.store(true, Ordering::Release);
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
