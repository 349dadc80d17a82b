//! Copies of one aligned word, each a single atomic access.

use multiproc_sys::primitive::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Copies out what is one aligned word of shared memory; false, and nothing is done, where it is not one.
///
/// # Safety
///
/// As [`copy_out`](super::copy_out).
#[inline]
pub(super) unsafe fn copy_out(shared: *const u8, private: *mut u8, len: usize) -> bool {
    let shared = shared.cast_mut();
    match len {
        1 => {
            // SAFETY: By the contract of this function; a byte is always aligned.
            let value = unsafe { AtomicU8::from_ptr(shared) }.load(Relaxed);
            // SAFETY: As above.
            unsafe { private.write(value) };
        }
        2 if is_aligned(shared, len) => {
            // SAFETY: As above, and aligned.
            let value = unsafe { AtomicU16::from_ptr(shared.cast()) }.load(Relaxed);
            // SAFETY: As above.
            unsafe { private.cast::<u16>().write_unaligned(value) };
        }
        4 if is_aligned(shared, len) => {
            // SAFETY: As above, and aligned.
            let value = unsafe { AtomicU32::from_ptr(shared.cast()) }.load(Relaxed);
            // SAFETY: As above.
            unsafe { private.cast::<u32>().write_unaligned(value) };
        }
        8 if is_aligned(shared, len) => {
            // SAFETY: As above, and aligned.
            let value = unsafe { AtomicU64::from_ptr(shared.cast()) }.load(Relaxed);
            // SAFETY: As above.
            unsafe { private.cast::<u64>().write_unaligned(value) };
        }
        _ => return false,
    }
    true
}

/// Copies in what is one aligned word of shared memory; false, and nothing is done, where it is not one.
///
/// # Safety
///
/// As [`copy_in`](super::copy_in).
#[inline]
pub(super) unsafe fn copy_in(private: *const u8, shared: *mut u8, len: usize) -> bool {
    match len {
        1 => {
            // SAFETY: By the contract of this function.
            let value = unsafe { private.read() };
            // SAFETY: As above; a byte is always aligned.
            unsafe { AtomicU8::from_ptr(shared) }.store(value, Relaxed);
        }
        2 if is_aligned(shared, len) => {
            // SAFETY: As above.
            let value = unsafe { private.cast::<u16>().read_unaligned() };
            // SAFETY: As above, and aligned.
            unsafe { AtomicU16::from_ptr(shared.cast()) }.store(value, Relaxed);
        }
        4 if is_aligned(shared, len) => {
            // SAFETY: As above.
            let value = unsafe { private.cast::<u32>().read_unaligned() };
            // SAFETY: As above, and aligned.
            unsafe { AtomicU32::from_ptr(shared.cast()) }.store(value, Relaxed);
        }
        8 if is_aligned(shared, len) => {
            // SAFETY: As above.
            let value = unsafe { private.cast::<u64>().read_unaligned() };
            // SAFETY: As above, and aligned.
            unsafe { AtomicU64::from_ptr(shared.cast()) }.store(value, Relaxed);
        }
        _ => return false,
    }
    true
}

#[inline]
fn is_aligned(pointer: *mut u8, len: usize) -> bool {
    pointer.addr() & (len - 1) == 0
}
