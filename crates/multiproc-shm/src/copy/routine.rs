//! The C library's routines, called where the compiler does not look.

use std::arch::asm;

/// Calls a routine of the C library that takes a pointer and two words, from an assembly block.
///
/// # Safety
///
/// As the routine that is called. It is one of `memcpy`, `memmove` and `memset`, none of which unwinds.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn call(routine: *const (), first: *mut u8, second: usize, third: usize) {
    // SAFETY: By the contract of this function. The block obeys the calling convention: the stack is aligned, and all
    // that a callee may change is given up.
    unsafe {
        asm!(
            "call {routine}",
            routine = in(reg) routine,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            clobber_abi("C"),
        );
    }
}

/// Calls a routine of the C library that takes a pointer and two words, from an assembly block.
///
/// # Safety
///
/// As the routine that is called. It is one of `memcpy`, `memmove` and `memset`, none of which unwinds.
#[cfg(target_arch = "aarch64")]
#[inline]
unsafe fn call(routine: *const (), first: *mut u8, second: usize, third: usize) {
    // SAFETY: By the contract of this function. The block obeys the calling convention: the stack is aligned, and all
    // that a callee may change is given up.
    unsafe {
        asm!(
            "blr {routine}",
            routine = in(reg) routine,
            in("x0") first,
            in("x1") second,
            in("x2") third,
            clobber_abi("C"),
        );
    }
}

/// Copies between places that do not overlap.
///
/// # Safety
///
/// Both are valid for `len` bytes.
#[inline]
pub(super) unsafe fn copy(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: By the contract of this function.
    unsafe { call(libc::memcpy as *const (), to, from.expose_provenance(), len) };
}

/// Copies between places that may overlap.
///
/// # Safety
///
/// Both are valid for `len` bytes.
#[inline]
pub(super) unsafe fn copy_overlapping(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: By the contract of this function.
    unsafe { call(libc::memmove as *const (), to, from.expose_provenance(), len) };
}

/// Sets every byte.
///
/// # Safety
///
/// `to` is valid for `len` bytes.
#[inline]
pub(super) unsafe fn fill(to: *mut u8, value: u8, len: usize) {
    // SAFETY: By the contract of this function.
    unsafe { call(libc::memset as *const (), to, value.into(), len) };
}
