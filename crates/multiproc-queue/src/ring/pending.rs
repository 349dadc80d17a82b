//! The pending operation of the robust list: what the kernel finishes for a thread that is killed.
//!
//! Every thread has a robust-list head, which the C library has registered with the kernel. When a thread ends for
//! whatever reason, the kernel looks at the word that the head's pending field points to. If the word names the dying
//! thread, it is marked [`OWNER_DIED`](super::lock::OWNER_DIED) and one waiter is woken; if it names nobody, one waiter
//! is woken; else nothing happens. So two plain stores around an operation make the kernel deliver what a killed thread
//! owed, at any instruction.
//!
//! **Invariant:** between [`begin`] and the drop of what it returns no code of the user's runs and nothing panics. The C
//! library uses the field only inside its own robust mutexes, which are not used here.

#![expect(unsafe_code, reason = "the robust-list head of this thread")]

use std::{
    cell::Cell,
    ptr,
    sync::atomic::{Ordering::SeqCst, compiler_fence},
};

use multiproc_image::after_fork;
use multiproc_sys::primitive::AtomicU32;

/// `struct robust_list_head` of the kernel.
#[repr(C)]
struct Head {
    list: *mut libc::c_void,
    futex_offset: libc::c_long,
    pending: *mut libc::c_void,
}

/// What is known of this thread; the id is 0 until it has been asked for.
#[derive(Clone, Copy)]
struct Known {
    // Invariant: null, or this thread's head, which lives as long as the thread.
    head: *mut Head,
    tid: u32,
}

thread_local! {
    static KNOWN: Cell<Known> = const { Cell::new(Known { head: ptr::null_mut(), tid: 0 }) };
}

/// An operation on a word that the kernel finishes if this thread is killed; dropping it ends the operation.
pub(super) struct Pending {
    known: Known,
    before: *mut libc::c_void,
}

/// Begins an operation on `word`.
#[inline]
pub(super) fn begin(word: &AtomicU32) -> Pending {
    let mut known = KNOWN.get();
    if known.tid == 0 {
        known = look();
    }
    if known.head.is_null() {
        return Pending { known, before: ptr::null_mut() };
    }
    // SAFETY: By the invariant of `head`; only this thread and its signal handlers write to it.
    let offset = unsafe { (*known.head).futex_offset } as isize;
    // SAFETY: As above.
    let pending = unsafe { &raw mut (*known.head).pending };
    // SAFETY: As above.
    let before = unsafe { pending.read_volatile() };
    let entry = word.as_ptr().cast::<libc::c_void>().wrapping_byte_offset(-offset);
    // SAFETY: As above. What is stored is only ever looked at by the kernel, which checks it.
    unsafe { pending.write_volatile(entry) };
    compiler_fence(SeqCst);
    Pending { known, before }
}

impl Pending {
    /// The id of this thread, which is what it writes into a lock's word.
    #[inline]
    pub(super) fn tid(&self) -> u32 {
        self.known.tid
    }
}

impl Drop for Pending {
    #[inline]
    fn drop(&mut self) {
        compiler_fence(SeqCst);
        if !self.known.head.is_null() {
            // SAFETY: By the invariant of `head`.
            unsafe { (&raw mut (*self.known.head).pending).write_volatile(self.before) };
        }
    }
}

/// Asks the kernel who this thread is and where its head lies.
#[cold]
fn look() -> Known {
    after_fork::register(forget);
    let (mut head, mut length) = (ptr::null_mut::<Head>(), 0usize);
    // SAFETY: Stores this thread's head and its size into the two variables.
    let listed =
        unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut length) };
    if listed != 0 || length != size_of::<Head>() {
        head = ptr::null_mut();
    }
    let tid = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
    let known = Known { head, tid };
    KNOWN.set(known);
    known
}

/// The only thread of a forked child is another one than that which forked.
fn forget() {
    KNOWN.set(Known { head: ptr::null_mut(), tid: 0 });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_thread_is_known_and_operations_nest() {
        let (one, two) = (AtomicU32::new(0), AtomicU32::new(0));
        let outer = begin(&one);
        assert_eq!(i64::from(outer.tid()), i64::from(rustix::thread::gettid().as_raw_nonzero().get()));
        assert!(!outer.known.head.is_null(), "the C library has registered a robust list");
        let inner = begin(&two);
        assert_ne!(inner.before, outer.before);
        drop(inner);
        drop(outer);
        assert!(begin(&one).before.is_null(), "both have ended");
    }
}
