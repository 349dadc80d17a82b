//! Private memory that a payload is copied to.

#![expect(unsafe_code, reason = "copies into memory that is not initialised yet")]

use std::mem::MaybeUninit;

use bytemuck::{AnyBitPattern, NoUninit};
use multiproc_shm::{SharedBytes, copy};

/// Private memory that an item's bytes are copied to.
pub trait Landing {
    /// Copies the bytes, or returns false if there is no memory for them. It neither panics nor runs code of the user's.
    fn land(&mut self, bytes: SharedBytes<'_>) -> bool;
}

impl Landing for Vec<u8> {
    fn land(&mut self, bytes: SharedBytes<'_>) -> bool {
        land_in(self, bytes)
    }
}

/// A value of fixed size, once it has landed.
#[derive(Debug)]
pub struct Spot<T> {
    value: MaybeUninit<T>,
    // Invariant: if this is the size of a `T`, all its bytes are written.
    landed: usize,
}

impl<T: AnyBitPattern> Spot<T> {
    /// A place on which nothing has landed.
    #[inline]
    pub(crate) fn new() -> Self {
        Self { value: MaybeUninit::uninit(), landed: usize::MAX }
    }

    /// The value, or the number of bytes that came where it is not that of a `T`.
    #[inline]
    pub(crate) fn into_value(self) -> Result<T, usize> {
        if self.landed != size_of::<T>() {
            return Err(self.landed);
        }
        // SAFETY: By the invariant of `landed`; any bytes are a `T`.
        Ok(unsafe { self.value.assume_init() })
    }
}

impl<T: AnyBitPattern> Landing for Spot<T> {
    #[inline]
    fn land(&mut self, bytes: SharedBytes<'_>) -> bool {
        self.landed = bytes.len();
        if bytes.len() == size_of::<T>() {
            let into = self.value.as_mut_ptr().cast();
            // SAFETY: Both are valid for the size of a `T`.
            unsafe { copy::copy_out(bytes.as_ptr().as_ptr(), into, size_of::<T>()) };
        }
        true
    }
}

/// Values of fixed size, once they have landed.
#[derive(Debug)]
pub struct Row<T> {
    /// Those that landed.
    pub values: Vec<T>,
    /// The number of bytes that came, where that is no number of values.
    pub odd: Option<usize>,
}

impl<T: AnyBitPattern + NoUninit> Landing for Row<T> {
    fn land(&mut self, bytes: SharedBytes<'_>) -> bool {
        let size = size_of::<T>();
        if size == 0 || !bytes.len().is_multiple_of(size) {
            self.odd = Some(bytes.len());
            return true;
        }
        land_in(&mut self.values, bytes)
    }
}

/// Appends bytes to a vector; false if there is no memory for them.
pub(crate) fn land_behind(to: &mut Vec<u8>, bytes: SharedBytes<'_>) -> bool {
    let (before, length) = (to.len(), bytes.len());
    if to.try_reserve(length).is_err() {
        return false;
    }
    let place = to.spare_capacity_mut().as_mut_ptr().cast();
    // SAFETY: There are that many bytes, and the vector has room for them.
    unsafe { copy::copy_out(bytes.as_ptr().as_ptr(), place, length) };
    // SAFETY: They have just been written.
    unsafe { to.set_len(before + length) };
    true
}

/// Copies bytes that are a number of values into a vector, in place of what it held.
fn land_in<T: AnyBitPattern>(values: &mut Vec<T>, bytes: SharedBytes<'_>) -> bool {
    let count = bytes.len() / size_of::<T>().max(1);
    values.clear();
    if values.try_reserve_exact(count).is_err() {
        return false;
    }
    let length = count * size_of::<T>();
    // SAFETY: There are that many bytes, and the vector has room for them.
    unsafe { copy::copy_out(bytes.as_ptr().as_ptr(), values.as_mut_ptr().cast(), length) };
    // SAFETY: They have just been written, and any bytes are a `T`.
    unsafe { values.set_len(count) };
    true
}
