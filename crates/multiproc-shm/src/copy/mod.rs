//! Copying between memory of this process and memory that others may be writing to at that moment.
//!
//! A plain copy would be undefined behaviour: the compiler may take it that nobody else writes meanwhile. Atomic loads
//! word by word are defined, but no compiler makes wide moves of them (a third of the speed from 1 KiB upwards). So the
//! copy is made where the compiler does not look: an assembly block calls the C library's own routine, at the speed of
//! `copy_from_slice`.
//!
//! **Why that is sound.** An assembly block may do to memory what some Rust code could have done. The code that this
//! one stands for: for each byte one relaxed atomic access of the shared memory and one plain access of the private
//! memory, which is what `portable.rs` spells out. Relaxed accesses race with nothing. What is not promised is that all
//! bytes are of one moment: bytes from before and after somebody's write may stand side by side, unless a lock or a
//! flag of the caller's orders the two.
//!
//! **Invariant:** a copy of 1, 2, 4 or 8 bytes whose shared side is aligned to its length is one atomic access, so such
//! a value is never seen half written.

#![expect(unsafe_code, reason = "the one place where shared memory is copied")]

#[cfg_attr(
    any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))),
    path = "portable.rs"
)]
mod routine;
#[cfg(test)]
mod portable;
mod single;
#[cfg_attr(any(miri, not(target_arch = "x86_64")), path = "none.rs")]
mod few;

/// Copies `len` bytes out of shared memory.
///
/// # Safety
///
/// `shared` is valid for reading and `private` for writing `len` bytes; nobody else uses `private` meanwhile, and the two
/// do not overlap. Other threads and processes may write to `shared`.
#[inline]
pub unsafe fn copy_out(shared: *const u8, private: *mut u8, len: usize) {
    // SAFETY: By the contract of this function.
    if unsafe { single::copy_out(shared, private, len) } {
        return;
    }
    // SAFETY: As above.
    if !unsafe { few::copy(private, shared, len) } {
        // SAFETY: As above.
        unsafe { routine::copy(private, shared, len) };
    }
}

/// Copies `len` bytes into shared memory.
///
/// # Safety
///
/// `private` is valid for reading and `shared` for writing `len` bytes; nobody writes to `private` meanwhile, and the two
/// do not overlap. Other threads and processes may use `shared`.
#[inline]
pub unsafe fn copy_in(private: *const u8, shared: *mut u8, len: usize) {
    // SAFETY: By the contract of this function.
    if unsafe { single::copy_in(private, shared, len) } {
        return;
    }
    // SAFETY: As above.
    if !unsafe { few::copy(shared, private, len) } {
        // SAFETY: As above.
        unsafe { routine::copy(shared, private, len) };
    }
}

/// Copies `len` bytes from one place of shared memory to another; the two may overlap.
///
/// # Safety
///
/// Both are valid, `from` for reading and `to` for writing `len` bytes. Other threads and processes may use both.
#[inline]
pub unsafe fn copy_within(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: By the contract of this function.
    unsafe { routine::copy_overlapping(to, from, len) };
}

/// Sets `len` bytes of shared memory to `value`.
///
/// # Safety
///
/// `shared` is valid for writing `len` bytes. Other threads and processes may use it.
#[inline]
pub unsafe fn fill(shared: *mut u8, value: u8, len: usize) {
    // SAFETY: By the contract of this function.
    unsafe { routine::fill(shared, value, len) };
}

#[cfg(test)]
mod tests;
