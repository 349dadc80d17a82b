//! Values of one type, one behind the other, in memory that others may be writing to.

#![expect(
    unsafe_code,
    reason = "copies values out of and into a block whose bounds it has checked"
)]

use std::{
    alloc::Layout,
    marker::PhantomData,
    mem::MaybeUninit,
    ops::{Bound, Range, RangeBounds},
    ptr::NonNull,
};

use multiproc_shm::{Block, HeapError, Shareable, ShmError, copy};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::ArrayError;

/// `len` values of `T` in shared memory. A clone is another handle to the same values.
#[derive(Debug)]
pub(crate) struct Cells<T> {
    block: Block,
    // Invariant: aligned for `T`, and `len` values from here on lie within `block`, whose bytes nobody in this process
    // accesses but by `copy`, or while `slice` lends them.
    start: NonNull<T>,
    len: usize,
    values: PhantomData<T>,
}

// SAFETY: Values are `Send`, as they are copied from thread to thread, and the memory is for everybody.
unsafe impl<T: Shareable> Send for Cells<T> {}
// SAFETY: As for `Send`; every access but those of `slice` may happen beside any other.
unsafe impl<T: Shareable> Sync for Cells<T> {}

impl<T> Clone for Cells<T> {
    fn clone(&self) -> Self {
        Self { block: self.block.clone(), ..*self }
    }
}

impl<T: Shareable> Cells<T> {
    /// Makes `len` values whose bytes are zero.
    pub(crate) fn zeroed(len: usize) -> Result<Self, HeapError> {
        let size = || len.saturating_mul(size_of::<T>());
        let layout = Layout::array::<T>(len).map_err(|_| ShmError::InvalidSize { size: size() })?;
        let block = Block::new(layout)?;
        Ok(Self { start: block.as_ptr().cast(), block, len, values: PhantomData })
    }

    /// Makes cells for these values.
    pub(crate) fn of(values: &[T]) -> Result<Self, HeapError> {
        let cells = Self::zeroed(values.len())?;
        cells.store_all(0, values);
        Ok(cells)
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Copies a value out, which may be of two moments where it is not one aligned word.
    ///
    /// Panics if there is none.
    #[inline]
    pub(crate) fn load(&self, at: usize) -> T {
        let mut value = MaybeUninit::<T>::uninit();
        let place = self.place(at, 1);
        // SAFETY: `place` is valid for the bytes of a value, and `value` is ours.
        unsafe { copy::copy_out(place.as_ptr().cast(), value.as_mut_ptr().cast(), size_of::<T>()) };
        repair(&mut value);
        // SAFETY: The bytes have been copied, and after `repair` they are a value.
        unsafe { value.assume_init() }
    }

    /// Copies a value in.
    ///
    /// Panics if there is no such place.
    #[inline]
    pub(crate) fn store(&self, at: usize, value: T) {
        let place = self.place(at, 1);
        if !T::SHAPE.has_padding() {
            let value = (&raw const value).cast();
            // SAFETY: `place` is valid for the bytes of a value, all of which are there, as there is no padding.
            return unsafe { copy::copy_in(value, place.as_ptr().cast(), size_of::<T>()) };
        }
        let mut scratch = MaybeUninit::<T>::uninit();
        let bytes = zeroed_bytes(&mut scratch);
        value.store(bytes);
        // SAFETY: As above, and the padding is zero.
        unsafe { copy::copy_in(bytes.as_ptr(), place.as_ptr().cast(), size_of::<T>()) };
    }

    /// Copies values from `at` on into a vector.
    ///
    /// Panics if there are fewer.
    pub(crate) fn load_all(&self, at: usize, len: usize) -> Vec<T> {
        let mut values = Vec::with_capacity(len);
        let place = self.place(at, len);
        self.load_into(place, &mut values.spare_capacity_mut()[..len]);
        // SAFETY: They have just been written.
        unsafe { values.set_len(len) };
        values
    }

    /// Copies values from `at` on into `into`, as many as it has room for.
    ///
    /// Panics if there are fewer.
    #[inline]
    pub(crate) fn load_slice(&self, at: usize, into: &mut [T]) {
        let place = self.place(at, into.len());
        let (start, len) = (into.as_mut_ptr().cast(), into.len());
        // SAFETY: The same place and length; whatever is written there are values.
        let into = unsafe { std::slice::from_raw_parts_mut(start, len) };
        self.load_into(place, into);
    }

    /// After this all of `into` are values.
    #[inline]
    fn load_into(&self, place: NonNull<T>, into: &mut [MaybeUninit<T>]) {
        let size = size_of_val(into);
        // SAFETY: The callers' `place` is valid for as many values, and `into` is borrowed for us alone.
        unsafe { copy::copy_out(place.as_ptr().cast(), into.as_mut_ptr().cast(), size) };
        if !T::SHAPE.is_any() {
            into.iter_mut().for_each(repair);
        }
    }

    /// Copies values in, from `at` on.
    ///
    /// Panics if there is no room for all.
    #[inline]
    pub(crate) fn store_all(&self, at: usize, values: &[T]) {
        let place = self.place(at, values.len());
        // One by one: a process that is killed on the way leaves whole characters.
        if T::SHAPE.has_padding() || !T::SHAPE.is_any() {
            return (at..).zip(values).for_each(|(at, value)| self.store(at, *value));
        }
        let size = size_of_val(values);
        // SAFETY: `place` is valid for as many values, and nobody writes to `values` while they are borrowed.
        unsafe { copy::copy_in(values.as_ptr().cast(), place.as_ptr().cast(), size) };
    }

    /// Makes what a process left that was killed while it wrote values again.
    #[cold]
    pub(crate) fn repair(&self) {
        if !T::SHAPE.is_any() {
            (0..self.len).for_each(|at| self.store(at, self.load(at)));
        }
    }

    /// The place of a part of a value: that of the `F` to which `find` leads from the value.
    ///
    /// Panics if `find` does not lead to a part of the value.
    #[track_caller]
    pub(crate) fn part<F: Shareable>(&self, at: usize, find: impl FnOnce(&T) -> &F) -> Cells<F> {
        // SAFETY: Zero is a value of every shareable type.
        let model = unsafe { MaybeUninit::<T>::zeroed().assume_init() };
        let found = std::ptr::from_ref(find(&model)).addr();
        let offset = found.checked_sub((&raw const model).addr());
        let offset = offset.filter(|offset| offset + size_of::<F>() <= size_of::<T>());
        let offset = offset.expect("the closure leads to a part of the value that it is given");
        // SAFETY: Within the value, by the check.
        let start = unsafe { self.place(at, 1).byte_add(offset) }.cast::<F>();
        assert!(start.is_aligned(), "the closure leads to a field, not to bytes inside one");
        Cells { block: self.block.clone(), start, len: 1, values: PhantomData }
    }

    /// The place of one value.
    pub(crate) fn item(&self, at: usize) -> Self {
        Self { start: self.place(at, 1), len: 1, ..self.clone() }
    }

    /// Lends the values themselves.
    ///
    /// # Safety
    ///
    /// While the slice is in use nobody, in no process, writes to them, and every one is a value of `T`.
    #[inline]
    pub(crate) unsafe fn slice(&self) -> &[T] {
        // SAFETY: By the invariant of `start`, and by the contract of this function.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// Lends the values themselves, for writing.
    ///
    /// # Safety
    ///
    /// While the slice is in use nobody else, in no process, reads or writes them, and every one is a value of `T`.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "that there is only one is what the caller promises")]
    pub(crate) unsafe fn slice_mut(&self) -> &mut [T] {
        // SAFETY: By the invariant of `start`, and by the contract of this function.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// Where `len` values from `at` on lie.
    #[inline]
    #[track_caller]
    fn place(&self, at: usize, len: usize) -> NonNull<T> {
        let fits = at.checked_add(len).is_some_and(|end| end <= self.len);
        assert!(fits, "items {at}.. of {}", self.len);
        // SAFETY: Within the values, by the check.
        unsafe { self.start.add(at) }
    }

    /// An error if there is no value at this position.
    #[inline]
    pub(crate) fn check(&self, index: usize) -> Result<(), ArrayError> {
        let len = self.len;
        if index < len {
            return Ok(());
        }
        Err(ArrayError::Index { start: index, end: index.saturating_add(1), len })
    }

    /// The range that a caller has asked for, if there is such a one.
    pub(crate) fn resolve(
        &self,
        range: &impl RangeBounds<usize>,
    ) -> Result<Range<usize>, ArrayError> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => self.len.max(start),
        };
        if start <= end && end <= self.len {
            return Ok(start..end);
        }
        Err(ArrayError::Index { start, end, len: self.len })
    }
}

/// Makes copied bytes those of a value.
#[inline]
fn repair<T: Shareable>(value: &mut MaybeUninit<T>) {
    if !T::SHAPE.is_any() {
        let start = value.as_mut_ptr().cast();
        // SAFETY: All bytes have been copied from memory where each is one, padding too.
        T::repair(unsafe { std::slice::from_raw_parts_mut(start, size_of::<T>()) });
    }
}

/// The bytes of a place for a value, all of them zero.
fn zeroed_bytes<T>(place: &mut MaybeUninit<T>) -> &mut [u8] {
    let start = place.as_mut_ptr().cast::<u8>();
    // SAFETY: It has room for so many.
    unsafe { start.write_bytes(0, size_of::<T>()) };
    // SAFETY: They have just been written.
    unsafe { std::slice::from_raw_parts_mut(start, size_of::<T>()) }
}

/// Cells in a message.
#[derive(Serialize, Deserialize)]
struct Sent<B> {
    /// What they are cells of, and whose: nobody takes for raw what others have references to, or reads characters where
    /// there are numbers.
    mark: u64,
    offset: u64,
    len: u64,
    block: B,
}

impl<T: Shareable> Cells<T> {
    /// Writes the cells of an object of this kind into a message.
    pub(crate) fn send<S: Serializer>(&self, kind: u64, serializer: S) -> Result<S::Ok, S::Error> {
        let offset = self.start.addr().get() - self.block.as_ptr().addr().get();
        let (offset, len) = (offset as u64, self.len as u64);
        Sent { mark: mark::<T>(kind), offset, len, block: &self.block }.serialize(serializer)
    }

    /// Takes the cells of an object of this kind out of a message; there have to be as many as `count` says, if it does.
    pub(crate) fn receive<'de, D: Deserializer<'de>>(
        kind: u64,
        count: Option<usize>,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        let Sent::<Block> { mark, offset, len, block } = Sent::deserialize(deserializer)?;
        if mark != self::mark::<T>(kind) {
            return Err(de::Error::custom(
                "what arrived is another kind of shared object, or one of another type: receive it as what was sent",
            ));
        }
        let foreign = || de::Error::custom("what arrived does not lie within its shared memory");
        let offset = usize::try_from(offset).map_err(|_| foreign())?;
        let len = usize::try_from(len).map_err(|_| foreign())?;
        let size = Layout::array::<T>(len).map_err(|_| foreign())?.size();
        let fits = offset.checked_add(size).is_some_and(|end| end <= block.len());
        if !fits || count.is_some_and(|count| count != len) {
            return Err(foreign());
        }
        // SAFETY: Within the block, by the check.
        let start = unsafe { block.as_ptr().add(offset) }.cast::<T>();
        if !start.is_aligned() {
            return Err(foreign());
        }
        Ok(Self { block, start, len, values: PhantomData })
    }
}

/// What stands before cells of this type in a message: no small number, so that it is not taken for that of a handle.
fn mark<T: Shareable>(kind: u64) -> u64 {
    (T::SHAPE.print() ^ kind.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1 << 63
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copied_values_are_values_whatever_the_bytes() {
        let cells = Cells::<(char, bool)>::zeroed(3).unwrap();
        // SAFETY: Within the block; the next line reads it as nothing but bytes.
        unsafe { copy::fill(cells.start.as_ptr().cast(), 0xff, 3 * size_of::<(char, bool)>()) };
        assert_eq!(cells.load(1), ('\0', false));
        assert_eq!(cells.load_all(0, 3), [('\0', false); 3]);
        cells.store(1, ('x', true));
        cells.repair();
        // SAFETY: Nobody else has them, and they have been repaired.
        assert_eq!(unsafe { cells.slice() }, [('\0', false), ('x', true), ('\0', false)]);
    }

    #[test]
    fn padding_is_zero_in_shared_memory() {
        let cells = Cells::<(u8, u32)>::of(&[(1, 2)]).unwrap();
        let sum: u32 = cells.block.bytes().to_vec().iter().map(|byte| u32::from(*byte)).sum();
        assert_eq!((sum, cells.load(0)), (3, (1, 2)));
    }

    #[test]
    fn types_without_bytes_and_arrays_without_items_are_fine() {
        let units = Cells::<()>::of(&[(); 5]).unwrap();
        assert_eq!(units.load_all(0, 5), [(); 5]);
        let none = Cells::<u64>::zeroed(0).unwrap();
        assert!(none.load_all(0, 0).is_empty());
        assert!(Cells::<u64>::zeroed(usize::MAX / 2).is_err());
    }

    #[test]
    fn alignment_is_that_of_the_type() {
        for _ in 0..3 {
            let (small, large) = (Cells::<u8>::zeroed(1), Cells::<u128>::zeroed(1));
            assert!(large.unwrap().start.is_aligned() && small.is_ok());
        }
    }
}
