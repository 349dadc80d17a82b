//! Copies of a few words, each word a single atomic access: shorter than the way to the C library's routine.

use multiproc_sys::primitive::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// Up to this length a loop over words is faster than the routine.
const MOST: usize = 64;
const WORD: usize = size_of::<u64>();

/// True if `len` bytes at `shared` are copied here.
#[inline]
pub(super) fn are_few(shared: *const u8, len: usize) -> bool {
    len <= MOST && shared.addr().is_multiple_of(WORD)
}

/// Copies out of shared memory.
///
/// # Safety
///
/// As [`copy_out`](super::copy_out), and `shared` is aligned to a word.
#[inline]
pub(super) unsafe fn copy_out(shared: *const u8, private: *mut u8, len: usize) {
    let words = len / WORD * WORD;
    for at in (0..words).step_by(WORD) {
        let from = shared.wrapping_add(at).cast_mut().cast();
        // SAFETY: By the contract of this function; aligned, for `at` is a multiple of a word's length.
        let word = unsafe { AtomicU64::from_ptr(from) }.load(Relaxed);
        // SAFETY: By the contract of this function.
        unsafe { private.wrapping_add(at).cast::<u64>().write_unaligned(word) };
    }
    for at in words..len {
        // SAFETY: By the contract of this function; a byte is always aligned.
        let byte = unsafe { AtomicU8::from_ptr(shared.wrapping_add(at).cast_mut()) }.load(Relaxed);
        // SAFETY: By the contract of this function.
        unsafe { private.wrapping_add(at).write(byte) };
    }
}

/// Copies into shared memory.
///
/// # Safety
///
/// As [`copy_in`](super::copy_in), and `shared` is aligned to a word.
#[inline]
pub(super) unsafe fn copy_in(private: *const u8, shared: *mut u8, len: usize) {
    let words = len / WORD * WORD;
    for at in (0..words).step_by(WORD) {
        // SAFETY: By the contract of this function.
        let word = unsafe { private.wrapping_add(at).cast::<u64>().read_unaligned() };
        let to = shared.wrapping_add(at).cast();
        // SAFETY: By the contract of this function; aligned, for `at` is a multiple of a word's length.
        unsafe { AtomicU64::from_ptr(to) }.store(word, Relaxed);
    }
    for at in words..len {
        // SAFETY: By the contract of this function.
        let byte = unsafe { private.wrapping_add(at).read() };
        // SAFETY: By the contract of this function; a byte is always aligned.
        unsafe { AtomicU8::from_ptr(shared.wrapping_add(at)) }.store(byte, Relaxed);
    }
}
