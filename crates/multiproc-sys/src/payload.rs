//! A payload file that is filled again once nobody else has it open.
//!
//! Of a fresh file nearly the whole price is its pages: to get, clear and map one takes the kernel several times as
//! long as to copy what goes into it. So a sender keeps a file or two and uses their pages again. Whether it may, the
//! kernel tells: what a receiver is sent is a description of its own, opened for reading only, and a write lease is
//! granted on a file only while no other description of it exists: in a process, in a socket or in a mapping.
//!
//! **Invariant:** a byte that somebody may still read is never written, however the reader ended and whether or not it
//! ever received. **Invariant:** nobody but the mapping of the one who made a file can write to it or change its
//! length; both are sealed.

#![expect(unsafe_code, reason = "maps the file, writes to it, and asks for leases")]

use std::{
    io::{self, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    ptr::{self, NonNull},
};

use rustix::{
    fs::{Mode, OFlags, SealFlags, fcntl_add_seals, open},
    io::Errno,
    mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap},
};

use crate::{
    lifeline::F_SETSIG,
    memfd,
    primitive::{AtomicBool, Ordering},
    switch::{Feature, without},
};

/// The longest payload that is worth a file to keep, in bytes.
pub const LONGEST: usize = 16 << 20;

const SEALS: SealFlags =
    SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::FUTURE_WRITE).union(SealFlags::SEAL);

/// This system has no leases, no seal for files that one mapping goes on writing to, or no `/proc`.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// A payload file, and the mapping through which it is filled.
#[derive(Debug)]
pub struct Payload {
    /// Opened for reading only. With this one alone open, the lease is granted.
    file: OwnedFd,
    /// Where the file is mapped, `capacity` bytes long, until this is dropped.
    start: NonNull<u8>,
    capacity: usize,
    /// So many bytes at the front have memory behind them.
    filled: usize,
}

// SAFETY: The mapping belongs to the process, not to a thread, and only `&mut self` writes to it.
unsafe impl Send for Payload {}

// SAFETY: As above; `&self` never touches the mapping.
unsafe impl Sync for Payload {}

impl Payload {
    /// Copies `bytes` into a new file, or returns `None` where files cannot be told to be free.
    ///
    /// The file has room for a longer payload; the memory for it is only taken when it is filled so far.
    ///
    /// # Errors
    ///
    /// `ENOMEM` where there is no memory, `EMFILE` where there are no descriptors.
    pub fn new(bytes: &[u8]) -> io::Result<Option<Self>> {
        if REFUSED.load(Ordering::Relaxed) || without(Feature::Lease) || LONGEST < bytes.len() {
            return Ok(None);
        }
        match Self::make(bytes) {
            Err(err) if lacks_memory(&err) => Err(err),
            // A limit of this process, which has room for the bytes perhaps, but not for more than those.
            Err(err) if err.raw_os_error() == Some(libc::EFBIG) => Ok(None),
            Err(_) => {
                REFUSED.store(true, Ordering::Relaxed);
                Ok(None)
            }
            Ok(payload) => Ok(Some(payload)),
        }
    }

    fn make(bytes: &[u8]) -> io::Result<Self> {
        let capacity = bytes.len().next_power_of_two();
        let memfd = memfd::sized(capacity as u64)?;
        let file = reopen(memfd.as_fd())?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: The kernel picks a free address.
        let start =
            unsafe { mmap(ptr::null_mut(), capacity, protection, MapFlags::SHARED, &memfd, 0)? };
        let start = NonNull::new(start.cast()).ok_or(Errno::NOMEM)?;
        let payload = Self { file, start, capacity, filled: bytes.len() };
        payload.tame_the_lease()?;
        // By a call, not by the mapping: a page that is written whole is not cleared before.
        memfd::write_all(memfd.as_fd(), bytes)?;
        fcntl_add_seals(&memfd, SEALS)?;
        let _shared = payload.share()?;
        if payload.is_free() {
            return Err(io::Error::other("leases do not tell who has the file open"));
        }
        Ok(payload)
    }

    /// Returns how many bytes fit.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns true if nobody else has the file open, in which case nobody ever will again.
    #[must_use]
    pub fn is_free(&self) -> bool {
        let lease = |kind: libc::c_int| {
            // SAFETY: The call takes two numbers, and the descriptor is ours.
            unsafe { libc::fcntl(self.file.as_raw_fd(), libc::F_SETLEASE, kind) }
        };
        if lease(libc::F_WRLCK) == -1 {
            if io::Error::last_os_error().raw_os_error() != Some(libc::EAGAIN) {
                REFUSED.store(true, Ordering::Relaxed);
            }
            return false;
        }
        // The answer was all that we wanted: with the lease held, our own opening would wait for us.
        lease(libc::F_UNLCK) != -1
    }

    /// Puts `bytes` at the front of the file, which must be [free](Self::is_free); false if they do not fit, or there is
    /// no memory for more than it held before.
    pub fn refill(&mut self, bytes: &[u8]) -> bool {
        if self.capacity < bytes.len() || !self.make_room(bytes.len()) {
            return false;
        }
        // SAFETY: The mapping is that long and writable, its file cannot shrink, no reference into it exists, and
        // `bytes` lies elsewhere, for nothing hands out the mapping's address.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.as_ptr(), bytes.len()) };
        true
    }

    /// Puts memory behind the first `length` bytes: to write where there is none would be fatal if none can be had.
    fn make_room(&mut self, length: usize) -> bool {
        if length <= self.filled {
            return true;
        }
        // SAFETY: The mapping is ours and that long; what it holds stays as it is.
        let made =
            unsafe { madvise(self.start.as_ptr().cast(), length, Advice::LinuxPopulateWrite) };
        if made.is_ok() {
            self.filled = length;
        }
        made.is_ok()
    }

    /// Opens the file once more, for a receiver; until that is closed everywhere, the file is not free.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE` or `ENOMEM`.
    pub fn share(&self) -> io::Result<OwnedFd> {
        reopen(self.file.as_fd())
    }

    /// Has the kernel say nothing that could end this process when somebody opens the file during the moment of a
    /// lease: the signal for it is one that is ignored by default.
    fn tame_the_lease(&self) -> io::Result<()> {
        // SAFETY: The call takes two numbers, and the descriptor is ours.
        match unsafe { libc::fcntl(self.file.as_raw_fd(), F_SETSIG, libc::SIGURG) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        // SAFETY: The mapping is ours and that long, and nobody has its address any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.capacity) };
    }
}

/// Makes another description of the same file, which can only read.
fn reopen(file: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut path = [0; 40];
    write_path(&mut path, file.as_raw_fd())?;
    let path = std::ffi::CStr::from_bytes_until_nul(&path).map_err(io::Error::other)?;
    Ok(open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

fn write_path(mut path: &mut [u8], fd: RawFd) -> io::Result<()> {
    write!(path, "/proc/self/fd/{fd}")
}

/// Whether something is used up, rather than not there at all.
fn lacks_memory(err: &io::Error) -> bool {
    let used_up = [libc::ENOMEM, libc::ENOSPC, libc::EMFILE, libc::ENFILE, libc::EINTR];
    err.raw_os_error().is_some_and(|errno| used_up.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &OwnedFd, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        memfd::read(file.as_fd(), length as u64, &mut bytes).unwrap();
        bytes
    }

    /// Another test may be starting a program just now, and hold a copy of every descriptor for a moment.
    fn becomes_free(payload: &Payload) -> bool {
        (0..1_000_000).any(|_| {
            std::thread::yield_now();
            payload.is_free()
        })
    }

    fn made(bytes: &[u8]) -> Payload {
        Payload::new(bytes).unwrap().expect("this system has leases")
    }

    #[test]
    fn free_when_the_last_receiver_has_closed_it() {
        let mut payload = made(b"first");
        assert!(becomes_free(&payload));
        let shared = payload.share().unwrap();
        let other = shared.try_clone().unwrap();
        assert!(!payload.is_free());
        assert_eq!(read(&shared, 5), b"first");
        drop(shared);
        assert!(!payload.is_free(), "one is left");
        drop(other);
        assert!(becomes_free(&payload));

        assert!(payload.refill(b"2nd"));
        assert_eq!(read(&payload.share().unwrap(), 3), b"2nd");
        assert!(payload.refill(b"of eight"));
        assert!(!payload.refill(b"nine long"));
        assert!(becomes_free(&payload));
    }

    #[test]
    fn longer_payload_gets_memory_first() {
        let mut payload = made(&[1; 40_000]);
        assert!(becomes_free(&payload));
        assert!(payload.refill(&[2; 60_000]));
        let committed = rustix::fs::fstat(&payload.file).unwrap().st_blocks * 512;
        assert!(60_000 <= committed && committed < payload.capacity() as i64);
        assert_eq!(read(&payload.share().unwrap(), 60_000), [2; 60_000]);
    }

    #[test]
    fn not_free_while_it_is_under_way() {
        let (a, b) = crate::packet::pair().unwrap();
        let payload = made(&[7; 100]);
        let shared = payload.share().unwrap();
        crate::packet::send(a.as_fd(), b"", &[shared.as_fd()]).unwrap();
        drop(shared);
        assert!(!payload.is_free());
        drop(a);
        drop(b);
        assert!(becomes_free(&payload));
    }

    #[test]
    fn receivers_cannot_change_it() {
        let payload = made(&[7; 100]);
        let shared = payload.share().unwrap();
        assert!(rustix::io::pwrite(&shared, b"x", 0).is_err());
        let path = format!("/proc/self/fd/{}", shared.as_raw_fd());
        let writable = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        assert!(rustix::io::pwrite(&writable, b"x", 0).is_err());
        assert!(rustix::fs::ftruncate(&writable, 0).is_err());
        drop(shared);
        assert!(!payload.is_free(), "writers count, too");
    }
}
