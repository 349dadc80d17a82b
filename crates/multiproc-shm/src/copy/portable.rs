//! The same by relaxed atomic accesses, for processors whose calling convention the other file does not know.
//!
//! Either side may be the shared one, so both are accessed as if they were: that is more than is needed, never less.

use multiproc_sys::primitive::{AtomicU8, AtomicU64, Ordering::Relaxed};

const WORD: usize = size_of::<u64>();

/// Copies between places that do not overlap.
///
/// # Safety
///
/// Both are valid for `len` bytes.
pub(super) unsafe fn copy(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: By the contract of this function.
    unsafe { forwards(to, from, len) };
}

/// Copies between places that may overlap.
///
/// # Safety
///
/// Both are valid for `len` bytes.
pub(super) unsafe fn copy_overlapping(to: *mut u8, from: *const u8, len: usize) {
    if to.addr() <= from.addr() {
        // SAFETY: By the contract of this function; no byte is read after it was overwritten.
        return unsafe { forwards(to, from, len) };
    }
    for at in (0..len).rev() {
        // SAFETY: As above, the other way round.
        unsafe { byte(to, from, at) };
    }
}

/// Sets every byte.
///
/// # Safety
///
/// `to` is valid for `len` bytes.
pub(super) unsafe fn fill(to: *mut u8, value: u8, len: usize) {
    for at in 0..len {
        // SAFETY: By the contract of this function.
        let place = unsafe { to.add(at) };
        // SAFETY: As above; nobody accesses shared memory otherwise than atomically.
        unsafe { AtomicU8::from_ptr(place) }.store(value, Relaxed);
    }
}

/// Copies from the start to the end, in words where both sides are aligned alike.
unsafe fn forwards(to: *mut u8, from: *const u8, len: usize) {
    let head = from.align_offset(WORD).min(len);
    let words = if to.addr() % WORD == from.addr() % WORD { (len - head) / WORD } else { 0 };
    for at in 0..head {
        // SAFETY: By the contract of the caller.
        unsafe { byte(to, from, at) };
    }
    for at in (head..).step_by(WORD).take(words) {
        // SAFETY: As above; both sides are aligned behind the head.
        unsafe { word(to, from, at) };
    }
    for at in head + words * WORD..len {
        // SAFETY: As above.
        unsafe { byte(to, from, at) };
    }
}

unsafe fn byte(to: *mut u8, from: *const u8, at: usize) {
    // SAFETY: By the contract of the caller.
    let from = unsafe { from.add(at) };
    // SAFETY: As above.
    let to = unsafe { to.add(at) };
    // SAFETY: As above; it is only read.
    let value = unsafe { AtomicU8::from_ptr(from.cast_mut()) }.load(Relaxed);
    // SAFETY: As above.
    unsafe { AtomicU8::from_ptr(to) }.store(value, Relaxed);
}

unsafe fn word(to: *mut u8, from: *const u8, at: usize) {
    // SAFETY: By the contract of the caller.
    let from = unsafe { from.add(at) };
    // SAFETY: As above.
    let to = unsafe { to.add(at) };
    // SAFETY: As above; it is only read.
    let value = unsafe { AtomicU64::from_ptr(from.cast_mut().cast()) }.load(Relaxed);
    // SAFETY: As above.
    unsafe { AtomicU64::from_ptr(to.cast()) }.store(value, Relaxed);
}
