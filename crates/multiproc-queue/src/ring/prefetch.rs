//! Getting a cache line before it is written to.

#![expect(unsafe_code, reason = "one instruction")]

use std::ptr::NonNull;

/// Has the line at `place` fetched for writing. It may lie anywhere: nothing is accessed.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(super) fn for_writing(place: NonNull<u8>, ahead: usize) {
    use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};

    let place = place.as_ptr().wrapping_byte_add(ahead);
    // SAFETY: A hint, which never faults; every such processor has it or passes over it.
    unsafe { _mm_prefetch::<_MM_HINT_ET0>(place.cast()) };
}

/// Has the line at `place` fetched for writing. It may lie anywhere: nothing is accessed.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(super) fn for_writing(_: NonNull<u8>, _: usize) {}
