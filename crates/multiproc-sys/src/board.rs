//! A page of numbers that two processes read and write at once.
//!
//! What stands on it is read as it is and believed only within the bounds that the reader knows anyway: the other
//! process may have been killed at any instruction, or may have written anything.

#![expect(unsafe_code, reason = "maps memory that another process writes")]

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::{self, NonNull},
};

use rustix::{
    fs::fstat,
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

use crate::{memfd, primitive::AtomicU64};

/// How many numbers there are.
pub const WORDS: usize = 16;

/// The file is one page, of whatever size pages are: the kernel rounds up.
const BYTES: usize = WORDS * size_of::<AtomicU64>();

/// A mapped page of numbers, all zero at first.
#[derive(Debug)]
pub struct Board {
    // Invariant: points to a mapping of `BYTES` bytes, shared, writable and aligned to a page, of a file that can
    // neither shrink nor grow; only `drop` unmaps it.
    words: NonNull<[AtomicU64; WORDS]>,
}

// SAFETY: It hands out `&AtomicU64` only, which threads may share, and nothing depends on the mapping thread.
unsafe impl Send for Board {}
// SAFETY: As for `Send`.
unsafe impl Sync for Board {}

impl Board {
    /// Makes a board, and the descriptor by which another process can [`open`](Self::open) it.
    ///
    /// # Errors
    ///
    /// `EMFILE` or `ENFILE` where there is no descriptor, `ENOMEM` where there is no memory.
    pub fn new() -> io::Result<(Self, OwnedFd)> {
        let file = memfd::fixed(BYTES as u64)?;
        // To write where there is no memory would be fatal if none can be had.
        memfd::reserve(file.as_fd(), 0, BYTES as u64)?;
        Ok((Self::open(file.as_fd())?, file))
    }

    /// Maps the board that `file` begins with. The descriptor is not needed any longer.
    ///
    /// # Errors
    ///
    /// `InvalidData` if the file cannot be one; `ENOMEM`.
    pub fn open(file: BorrowedFd<'_>) -> io::Result<Self> {
        if !memfd::is_fixed(&file) || fstat(file)?.st_size < BYTES as i64 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "file is not a sealed board"));
        }
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: A new mapping at an address of the kernel's choice disturbs nobody's memory.
        let address = unsafe { mmap(ptr::null_mut(), BYTES, access, MapFlags::SHARED, file, 0) }?;
        let words = NonNull::new(address.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { words })
    }

    /// One of the numbers.
    ///
    /// # Panics
    ///
    /// Panics if `index` is not below [`WORDS`].
    #[inline]
    #[must_use]
    pub fn word(&self, index: usize) -> &AtomicU64 {
        // SAFETY: By the invariant the memory is there, aligned and large enough, and stays as long as `self`. Zeroes,
        // and whatever another process writes, are valid atomics, and nobody makes a `&mut` from it.
        let words = unsafe { self.words.as_ref() };
        &words[index]
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        // SAFETY: By the invariant this is a mapping of that length, and nobody borrows from it any more.
        let _ = unsafe { munmap(self.words.as_ptr().cast(), BYTES) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitive::Ordering;

    #[test]
    fn two_mappings_show_the_same_numbers() {
        let (one, file) = Board::new().unwrap();
        let other = Board::open(file.as_fd()).unwrap();
        drop(file);
        one.word(WORDS - 1).store(7, Ordering::Release);
        assert_eq!(other.word(WORDS - 1).load(Ordering::Acquire), 7);
        assert_eq!(other.word(0).load(Ordering::Acquire), 0);
    }

    #[test]
    fn other_files_are_refused() {
        let short = memfd::seal(b"short").unwrap();
        assert_eq!(Board::open(short.as_fd()).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let open = memfd::sized(BYTES as u64).unwrap();
        assert_eq!(Board::open(open.as_fd()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
