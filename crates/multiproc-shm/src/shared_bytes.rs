//! A view of memory that others may write to at any moment.

#![expect(unsafe_code, reason = "checks a range, then copies or lends an atomic")]

use std::{
    fmt,
    marker::PhantomData,
    mem::MaybeUninit,
    ops::{Bound, RangeBounds},
    ptr::NonNull,
};

use bytemuck::{AnyBitPattern, NoUninit};
use multiproc_sys::primitive::{AtomicU32, AtomicU64};

use crate::{copy, error::OutOfRange};

/// A view of memory that other threads and processes may write to at any moment.
///
/// So it is never a `&[u8]`: bytes are copied out and in, at the speed of `copy_from_slice`, or accessed as atomics. A
/// copy is not of one moment: what somebody writes meanwhile may be in it by half. An aligned value of 1, 2, 4 or 8 bytes
/// is always read and written whole. What has to fit together wants a lock, or an atomic that says when it is ready.
///
/// # If a process dies
///
/// What it has written stays; what it was copying in when it was killed may be there by half.
///
/// # Python
///
/// The `memoryview` that `SharedMemory.buf` is.
///
/// # Examples
///
/// ```
/// let segment = multiproc_shm::Segment::new(64)?;
/// let bytes = segment.bytes();
///
/// bytes.write(8, b"howdy")?;
/// let mut text = [0; 5];
/// bytes.read(8, &mut text)?;
/// assert_eq!(&text, b"howdy");
///
/// bytes.set(16, &[1.5f64, 2.5])?;
/// assert_eq!(bytes.get::<f64>(24)?, 2.5);
/// # Ok::<(), multiproc_shm::ShmError>(())
/// ```
#[derive(Clone, Copy)]
pub struct SharedBytes<'a> {
    // Invariant: valid for reading and writing `size` bytes for as long as `'a`; every access by this process that may
    // happen beside another is by `copy` or atomic, unless somebody has promised otherwise in an unsafe block.
    start: NonNull<u8>,
    size: usize,
    lent: PhantomData<&'a [MaybeUninit<u8>]>,
}

// SAFETY: By the invariant of `start` every access may happen beside any other.
unsafe impl Send for SharedBytes<'_> {}
// SAFETY: As for `Send`.
unsafe impl Sync for SharedBytes<'_> {}

impl<'a> SharedBytes<'a> {
    /// Makes a view of `size` bytes from `start` on.
    ///
    /// # Safety
    ///
    /// They are valid for reading and writing for as long as `'a`, and while that lasts nobody in this process reads or
    /// writes them in another way than by atomics, [`copy`](mod@crate::copy) or a view like this one.
    #[must_use]
    pub const unsafe fn new(start: NonNull<u8>, size: usize) -> Self {
        Self { start, size, lent: PhantomData }
    }

    /// The number of bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.size
    }

    /// True if there are no bytes.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.size == 0
    }

    /// Where the bytes begin, for those who know what they do.
    #[must_use]
    pub const fn as_ptr(self) -> NonNull<u8> {
        self.start
    }

    /// Returns a view of a part.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if the range ends behind the last byte, or before it begins.
    ///
    /// # Examples
    ///
    /// ```
    /// let segment = multiproc_shm::Segment::new(64)?;
    /// let tail = segment.bytes().slice(60..)?;
    /// assert_eq!(tail.len(), 4);
    /// # Ok::<(), multiproc_shm::ShmError>(())
    /// ```
    pub fn slice(self, range: impl RangeBounds<usize>) -> Result<Self, OutOfRange> {
        let (offset, len) = self.resolve(&range);
        let start = self.place(offset, len)?;
        // SAFETY: Part of what `self` has.
        Ok(unsafe { Self::new(start, len) })
    }

    /// Copies the bytes from `offset` on into `into`, as many as it has room for.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if there are fewer; `into` is then as it was.
    #[inline]
    pub fn read(self, offset: usize, into: &mut [u8]) -> Result<(), OutOfRange> {
        let place = self.place(offset, into.len())?;
        // SAFETY: `place` is valid for that many bytes, and `into` is borrowed for us alone.
        unsafe { copy::copy_out(place.as_ptr(), into.as_mut_ptr(), into.len()) };
        Ok(())
    }

    /// Copies `from` to the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if there are fewer; nothing is then written.
    #[inline]
    pub fn write(self, offset: usize, from: &[u8]) -> Result<(), OutOfRange> {
        let place = self.place(offset, from.len())?;
        // SAFETY: `place` is valid for that many bytes, and nobody writes to `from` while it is borrowed.
        unsafe { copy::copy_in(from.as_ptr(), place.as_ptr(), from.len()) };
        Ok(())
    }

    /// Returns the value at `offset`, which need not be aligned.
    ///
    /// It is any type for which every pattern of bits is a value: numbers, arrays of them, and structs that say so by
    /// `bytemuck`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if it does not lie within.
    #[inline]
    pub fn get<T: AnyBitPattern>(self, offset: usize) -> Result<T, OutOfRange> {
        let place = self.place(offset, size_of::<T>())?;
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: `place` is valid for that many bytes, and `value` is ours.
        unsafe { copy::copy_out(place.as_ptr(), value.as_mut_ptr().cast(), size_of::<T>()) };
        // SAFETY: All its bytes are written, and any bytes are a `T`.
        Ok(unsafe { value.assume_init() })
    }

    /// Stores a value at `offset`, which need not be aligned.
    ///
    /// It is any type without padding: numbers, arrays of them, and structs that say so by `bytemuck`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if it does not lie within; nothing is then written.
    #[inline]
    pub fn set<T: NoUninit>(self, offset: usize, value: &T) -> Result<(), OutOfRange> {
        self.write(offset, bytemuck::bytes_of(value))
    }

    /// Copies values from `offset` on into `into`, as many as it has room for.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if there are fewer; `into` is then as it was.
    ///
    /// # Examples
    ///
    /// ```
    /// let segment = multiproc_shm::Segment::new(64)?;
    /// segment.bytes().set_all(0, &[1u32, 2, 3])?;
    /// let mut numbers = [0u32; 3];
    /// segment.bytes().get_all(0, &mut numbers)?;
    /// assert_eq!(numbers, [1, 2, 3]);
    /// # Ok::<(), multiproc_shm::ShmError>(())
    /// ```
    #[inline]
    pub fn get_all<T: AnyBitPattern + NoUninit>(
        self,
        offset: usize,
        into: &mut [T],
    ) -> Result<(), OutOfRange> {
        self.read(offset, bytemuck::cast_slice_mut(into))
    }

    /// Stores values from `offset` on.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if they do not lie within; nothing is then written.
    #[inline]
    pub fn set_all<T: NoUninit>(self, offset: usize, from: &[T]) -> Result<(), OutOfRange> {
        self.write(offset, bytemuck::cast_slice(from))
    }

    /// Sets every byte to `value`.
    pub fn fill(self, value: u8) {
        // SAFETY: By the invariant of `start`.
        unsafe { copy::fill(self.start.as_ptr(), value, self.size) };
    }

    /// Copies a part to where `offset` says; the two may overlap.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if either does not lie within; nothing is then written.
    ///
    /// # Examples
    ///
    /// ```
    /// let segment = multiproc_shm::Segment::new(8)?;
    /// segment.bytes().write(0, b"abcdefgh")?;
    /// segment.bytes().copy_within(0..4, 2)?;
    /// assert_eq!(segment.bytes().to_vec(), b"ababcdgh");
    /// # Ok::<(), multiproc_shm::ShmError>(())
    /// ```
    pub fn copy_within(
        self,
        from: impl RangeBounds<usize>,
        offset: usize,
    ) -> Result<(), OutOfRange> {
        let (start, len) = self.resolve(&from);
        let (from, to) = (self.place(start, len)?, self.place(offset, len)?);
        // SAFETY: Both are valid for that many bytes.
        unsafe { copy::copy_within(from.as_ptr(), to.as_ptr(), len) };
        Ok(())
    }

    /// Copies all bytes into a vector.
    #[must_use]
    pub fn to_vec(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.append_to(&mut bytes);
        bytes
    }

    /// Copies all bytes to the end of a vector.
    #[inline]
    pub fn append_to(self, bytes: &mut Vec<u8>) {
        bytes.reserve(self.size);
        let room = bytes.spare_capacity_mut();
        // SAFETY: `start` is valid for that many bytes, and the vector has room for them.
        unsafe { copy::copy_out(self.start.as_ptr(), room.as_mut_ptr().cast(), self.size) };
        // SAFETY: They have just been written.
        unsafe { bytes.set_len(bytes.len() + self.size) };
    }

    /// Returns the four bytes at `offset` as an atomic number in this machine's byte order.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if they do not lie within, or are not aligned to their size.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::Ordering;
    ///
    /// let segment = multiproc_shm::Segment::new(64)?;
    /// let counter = segment.bytes().atomic_u32(4)?;
    /// counter.fetch_add(2, Ordering::Relaxed);
    /// assert_eq!(segment.bytes().get::<u32>(4)?, 2);
    /// # Ok::<(), multiproc_shm::ShmError>(())
    /// ```
    pub fn atomic_u32(self, offset: usize) -> Result<&'a AtomicU32, OutOfRange> {
        let place = self.aligned_place(offset, size_of::<u32>())?;
        // SAFETY: Valid and aligned, any bits are a value, and by the invariant of `start` accesses are atomic.
        Ok(unsafe { AtomicU32::from_ptr(place.as_ptr().cast()) })
    }

    /// Returns the eight bytes at `offset` as an atomic number in this machine's byte order.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if they do not lie within, or are not aligned to their size.
    pub fn atomic_u64(self, offset: usize) -> Result<&'a AtomicU64, OutOfRange> {
        let place = self.aligned_place(offset, size_of::<u64>())?;
        // SAFETY: Valid and aligned, any bits are a value, and by the invariant of `start` accesses are atomic.
        Ok(unsafe { AtomicU64::from_ptr(place.as_ptr().cast()) })
    }

    /// Lends the bytes themselves.
    ///
    /// # Safety
    ///
    /// While the slice is in use nobody, in no process, writes to them.
    #[must_use]
    pub const unsafe fn as_slice(self) -> &'a [u8] {
        // SAFETY: By the invariant of `start`, and by the contract of this function.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.size) }
    }

    /// Lends the bytes themselves, for writing.
    ///
    /// # Safety
    ///
    /// While the slice is in use nobody else, in no process, reads or writes them.
    #[must_use]
    pub const unsafe fn as_mut_slice(self) -> &'a mut [u8] {
        // SAFETY: By the invariant of `start`, and by the contract of this function.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.size) }
    }

    /// Where a range begins, and how long it is; one that cannot be is longer than any block.
    fn resolve(self, range: &impl RangeBounds<usize>) -> (usize, usize) {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => self.size.max(start),
        };
        (start, end.checked_sub(start).unwrap_or(usize::MAX))
    }

    #[inline]
    fn place(self, offset: usize, len: usize) -> Result<NonNull<u8>, OutOfRange> {
        match offset.checked_add(len) {
            // SAFETY: Within the block, or at its end.
            Some(end) if end <= self.size => Ok(unsafe { self.start.add(offset) }),
            _ => Err(OutOfRange { offset, len, size: self.size }),
        }
    }

    fn aligned_place(self, offset: usize, len: usize) -> Result<NonNull<u8>, OutOfRange> {
        let place = self.place(offset, len)?;
        match place.addr().get() % len {
            0 => Ok(place),
            _ => Err(OutOfRange { offset, len, size: self.size }),
        }
    }
}

impl fmt::Debug for SharedBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBytes").field("len", &self.size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Segment;

    #[test]
    fn nothing_beyond_either_end_is_reached() {
        let segment = Segment::new(16).unwrap();
        let bytes = segment.bytes();
        for (offset, len) in [(16, 1), (9, 8), (usize::MAX, 1), (usize::MAX, 2), (0, 17)] {
            let refused = OutOfRange { offset, len, size: 16 };
            assert_eq!(bytes.read(offset, &mut vec![0; len]), Err(refused));
            assert_eq!(bytes.write(offset, &vec![1; len]), Err(refused));
        }
        assert_eq!(bytes.to_vec(), [0; 16]);
        assert!(bytes.get::<u64>(9).is_err() && bytes.get::<u64>(8).is_ok());
        assert!(bytes.write(16, &[]).is_ok());
        assert!(bytes.copy_within(0..8, 9).is_err() && bytes.copy_within(9..17, 0).is_err());
        #[expect(clippy::reversed_empty_ranges, reason = "that is the case in question")]
        let backwards = bytes.slice(5..3);
        assert!(backwards.is_err() && bytes.slice(17..).is_err() && bytes.slice(..=16).is_err());
        assert_eq!(bytes.slice(16..).unwrap().len(), 0);
    }

    #[test]
    fn part_has_bounds_of_its_own() {
        let segment = Segment::new(16).unwrap();
        let part = segment.bytes().slice(4..8).unwrap();
        part.fill(7);
        assert!(part.write(1, b"four").is_err());
        assert_eq!(segment.bytes().to_vec(), [[0; 4], [7; 4], [0; 4], [0; 4]].concat());
    }

    #[test]
    fn bytes_are_appended() {
        let segment = Segment::new(5).unwrap();
        segment.bytes().write(0, b"lower").unwrap();
        let mut bytes = b"f".to_vec();
        segment.bytes().slice(..4).unwrap().append_to(&mut bytes);
        segment.bytes().slice(5..).unwrap().append_to(&mut bytes);
        assert_eq!(bytes, b"flowe");
    }

    #[test]
    fn atomics_have_to_be_aligned() {
        let segment = Segment::new(16).unwrap();
        let bytes = segment.bytes();
        assert!(bytes.atomic_u32(2).is_err() && bytes.atomic_u32(12).is_ok());
        assert!(bytes.atomic_u64(4).is_err() && bytes.atomic_u64(8).is_ok());
        assert!(bytes.atomic_u64(16).is_err());
    }

    #[test]
    fn values_need_no_alignment() {
        let segment = Segment::new(64).unwrap();
        for offset in 0..56 {
            segment.bytes().set(offset, &(offset as u64)).unwrap();
            assert_eq!(segment.bytes().get::<u64>(offset).unwrap(), offset as u64);
        }
    }
}
