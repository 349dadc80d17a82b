//! Noting that a process aborts for want of memory.
//!
//! An allocation that fails makes a Rust program abort, and an abort tells nobody why. But the C library's allocator has
//! left `ENOMEM` behind on the thread that aborts, and nothing between it and the signal changes that, but for the
//! backtrace that std prints of it where `RUST_BACKTRACE` asks for one: then it is not known. Nor can it be told apart from
//! an abort for another reason on a thread whose last failed call said `ENOMEM`, which the program had dealt with.

#![expect(unsafe_code, reason = "a handler for SIGABRT, and errno inside it")]

use std::{mem::MaybeUninit, ptr};

use crate::{
    board::Board,
    primitive::{AtomicPtr, AtomicU32, AtomicU64, Ordering},
};

/// Invariant: null, or a word of a board that is never unmapped.
static NOTE: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());

/// The process whose note it is: a forked child has it, too, and aborts for itself.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// From now on, an abort for want of memory writes 1 to the word `index` of `board`.
///
/// A handler for SIGABRT that somebody has installed is replaced, once.
pub fn note_out_of_memory(board: &'static Board, index: usize) {
    OWNER.store(std::process::id(), Ordering::Release);
    NOTE.store(ptr::from_ref(board.word(index)).cast_mut(), Ordering::Release);
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: Plain data, for which zeroes are valid.
    let action = unsafe { action.assume_init_mut() };
    action.sa_sigaction = on_abort as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // Afterwards the signal does what it does by default: end the process.
    action.sa_flags = libc::SA_RESETHAND;
    // SAFETY: The handler does nothing but what a signal handler may do.
    unsafe { libc::sigaction(libc::SIGABRT, action, ptr::null_mut()) };
}

extern "C" fn on_abort(signal: libc::c_int) {
    // SAFETY: Takes nothing and only returns an address.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: The location of the calling thread's errno is always valid.
    let errno = unsafe { *errno };
    // SAFETY: Takes nothing and only returns a number.
    let process = unsafe { libc::getpid() };
    if errno == libc::ENOMEM && OWNER.load(Ordering::Acquire) == process.cast_unsigned() {
        // SAFETY: By the invariant null or a word that stays.
        if let Some(note) = unsafe { NOTE.load(Ordering::Acquire).as_ref() } {
            note.store(1, Ordering::Release);
        }
    }
    // By now the default is back. An abort raises again by itself; somebody's `kill` does not.
    // SAFETY: Plain numbers.
    unsafe { libc::raise(signal) };
}
