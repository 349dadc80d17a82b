//! The pending operation: what this thread owes to others, should it be killed before it has done it.
//!
//! Every thread has a head of a list of robust mutexes, which the C library has registered with the kernel. One field of
//! it names a word that the thread is about to change. When the thread ends for whatever reason, the kernel looks at
//! that word, and if its low 30 bits are 0, **it wakes one sleeper of that word**. So whoever is about to wake somebody,
//! or has just been woken and would have to wake the next, says so before and takes it back afterwards: two plain
//! stores, and a wake-up owed by a dead process is delivered all the same.
//!
//! **Invariant:** the low 30 bits of a word that is ever pending are 0 or cannot be a thread id. (Were they the id of the
//! dying thread, the kernel would take the word for a mutex, and change it.)
//!
//! Linux before 6.2 wants the whole word to be 0. There, and where a thread has no list at all, sleepers look again by
//! themselves after a while.

#![expect(unsafe_code, reason = "writes the list head that the kernel reads")]

use std::{
    cell::{Cell, UnsafeCell},
    ffi::{c_long, c_void},
    marker::PhantomData,
    mem::offset_of,
    ptr,
};

use crate::{
    primitive::{AtomicU32, Ordering, compiler_fence},
    switch::{Feature, without},
};

/// `struct robust_list_head` of Linux.
#[repr(C)]
struct Head {
    list: *mut c_void,
    /// From a node of the list to its word; known only at run time.
    futex_offset: c_long,
    list_op_pending: *mut c_void,
}

thread_local! {
    /// Invariant: null, or the head of this thread, which lives as long as it does. Null until it is first needed. A forked child has the thread's memory, and so its head, at the same address.
    static HEAD: Cell<*mut Head> = const { Cell::new(ptr::null_mut()) };
    /// Stands in where the kernel knows no head of this thread.
    static UNWATCHED: UnsafeCell<Head> = const {
        UnsafeCell::new(Head { list: ptr::null_mut(), futex_offset: 0, list_op_pending: ptr::null_mut() })
    };
}

/// Something owed; dropped when it is paid, also by a panic. What uses robust mutexes in between would take its place.
#[derive(Debug)]
#[must_use = "what is owed is taken back when this is dropped"]
pub struct Pending<'a> {
    // Invariant: the head of this thread, which lives as long as the thread does.
    head: *mut Head,
    /// What the code was at that a signal handler of this thread interrupted.
    before: *mut c_void,
    word: PhantomData<&'a AtomicU32>,
}

/// Tells the kernel to wake one sleeper of `word` should this thread end before the guard is dropped.
#[inline]
pub fn pend(word: &AtomicU32) -> Pending<'_> {
    let head = head();
    // SAFETY: By the invariant of `HEAD`; nobody but this thread uses the field while the thread runs.
    let before = unsafe { pending_field(head).read() };
    // SAFETY: As above.
    let offset = unsafe { offset_field(head).read() };
    let place = ptr::from_ref(word).cast_mut().cast::<c_void>();
    let node = place.wrapping_byte_offset(-(offset as isize));
    // SAFETY: As above. The kernel reads it only when this thread has ended.
    unsafe { pending_field(head).write_volatile(node) };
    compiler_fence(Ordering::SeqCst);
    Pending { head, before, word: PhantomData }
}

impl Drop for Pending<'_> {
    #[inline]
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst);
        // SAFETY: By the invariant of `head`; the pointer makes the guard stay on its thread.
        unsafe { pending_field(self.head).write_volatile(self.before) };
    }
}

/// True if the kernel will do what this thread owes.
#[must_use]
pub fn is_watched() -> bool {
    let registered = registered();
    !registered.is_null() && head() == registered
}

fn pending_field(head: *mut Head) -> *mut *mut c_void {
    head.wrapping_byte_add(offset_of!(Head, list_op_pending)).cast()
}

fn offset_field(head: *mut Head) -> *mut c_long {
    head.wrapping_byte_add(offset_of!(Head, futex_offset)).cast()
}

#[inline]
fn head() -> *mut Head {
    let head = HEAD.get();
    if head.is_null() { find_head() } else { head }
}

#[cold]
fn find_head() -> *mut Head {
    let mut head = registered();
    if head.is_null() {
        head = UNWATCHED.with(UnsafeCell::get);
    }
    HEAD.set(head);
    head
}

/// The head that the kernel knows of this thread, or null.
fn registered() -> *mut Head {
    if without(Feature::RobustList) {
        return ptr::null_mut();
    }
    let (mut head, mut length) = (ptr::null_mut::<Head>(), 0usize);
    // SAFETY: Stores this thread's list head and its size into the two variables.
    let known =
        unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut length) };
    if known == 0 && length == size_of::<Head>() { head } else { ptr::null_mut() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would find.
    fn owed() -> *mut c_void {
        // SAFETY: The head of this thread.
        unsafe { pending_field(head()).read() }
    }

    #[test]
    fn debts_nest_and_are_taken_back() {
        let words = [AtomicU32::new(0), AtomicU32::new(0)];
        let before = owed();
        let outer = pend(&words[0]);
        let at = owed();
        assert_ne!(at, before);
        let inner = pend(&words[1]);
        assert_eq!(owed().addr(), at.addr() + size_of::<AtomicU32>());
        drop(inner);
        assert_eq!(owed(), at);
        drop(outer);
        assert_eq!(owed(), before);
    }

    #[test]
    fn every_thread_has_a_head_of_its_own() {
        let here = head().addr();
        let there = std::thread::spawn(|| (head().addr(), is_watched())).join().unwrap();
        assert_ne!(here, there.0);
        assert_eq!(is_watched(), there.1);
    }
}
