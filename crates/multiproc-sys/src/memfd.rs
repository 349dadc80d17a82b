//! Bytes in a sealed file without a name.
//!
//! **Invariant:** a file made by [`seal`] can neither shrink nor change once it is shared. One made by [`fixed`] can change,
//! and never its length. Of a payload file that a peer made, a reader knows only that its length stays; it copies the
//! bytes out, so what a peer changes meanwhile is its own message.

#![expect(unsafe_code, reason = "reads into spare capacity, and maps what cannot change")]

use std::{
    io::{self, ErrorKind},
    ops::Deref,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::{self, NonNull},
};

use rustix::{
    fs::{
        FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_get_seals, fstat,
        ftruncate, memfd_create,
    },
    io::{Errno, pread, write},
    mm::{MapFlags, ProtFlags, mmap, munmap},
    process::{Resource, getrlimit},
};

const SEALS: SealFlags =
    SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::WRITE).union(SealFlags::SEAL);

/// Also what a reader asks of a payload file that a peer made.
const FIXED: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// Copies `bytes` into a new sealed file.
///
/// # Errors
///
/// `ENOMEM` or `ENOSPC` where there is no memory for them, `EMFILE` where there is no descriptor, `EFBIG` where this
/// process may not make files of that length.
pub fn seal(bytes: &[u8]) -> io::Result<OwnedFd> {
    let file = sized(u64::try_from(bytes.len()).map_err(|_| Errno::FBIG)?)?;
    write_all(file.as_fd(), bytes)?;
    fcntl_add_seals(&file, SEALS)?;
    Ok(file)
}

/// Writes all of `bytes` where the file stands.
pub(crate) fn write_all(file: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match write(file, rest) {
            Ok(written) => rest = &rest[written..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Makes a file of `length` zero bytes that can be sealed.
pub(crate) fn sized(length: u64) -> io::Result<OwnedFd> {
    check_limit(length)?;
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = match memfd_create(c"multiproc", flags | MemfdFlags::NOEXEC_SEAL) {
        // A kernel before 6.3, where nobody can demand it either.
        Err(Errno::INVAL) => memfd_create(c"multiproc", flags)?,
        result => result?,
    };
    ftruncate(&file, length)?;
    Ok(file)
}

/// Appends the first `length` bytes of a sealed file to `bytes`.
///
/// Nothing is allocated before the kernel has said that the file is sealed, is that long and has that much memory
/// behind it: a length is never trusted.
///
/// # Errors
///
/// `InvalidData` if the file is not a sealed one of that length; otherwise what reading reports.
pub fn read(file: BorrowedFd<'_>, length: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let wanted = check(file, length)?;
    bytes.try_reserve_exact(wanted).map_err(|_| io::Error::from(ErrorKind::OutOfMemory))?;
    let end = bytes.len() + wanted;
    while bytes.len() < end {
        let left = end - bytes.len();
        // Not all that the vector has room for: the file may go on behind the payload.
        let room = &mut bytes.spare_capacity_mut()[..left];
        match pread(file, room, (wanted - left) as u64) {
            Ok(([], _)) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok((read, _)) => {
                let length = end - left + read.len();
                // SAFETY: The kernel has written that many bytes behind the old length, within the capacity.
                unsafe { bytes.set_len(length) };
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Reads the first bytes of a sealed file, as many as fill `buffer`.
///
/// # Errors
///
/// As [`read`].
pub fn read_into(file: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<()> {
    check(file, buffer.len() as u64)?;
    let mut filled = 0;
    while filled < buffer.len() {
        match pread(file, &mut buffer[filled..], filled as u64) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => filled += read,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Checks that the file cannot shrink and has `length` bytes of memory, and returns that as a length in memory.
fn check(file: BorrowedFd<'_>, length: u64) -> io::Result<usize> {
    let seals = fcntl_get_seals(file).unwrap_or(SealFlags::empty());
    let stat = fstat(file)?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let committed = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
    match usize::try_from(length) {
        Ok(wanted) if seals.contains(FIXED) && length <= size.min(committed) => Ok(wanted),
        _ => Err(io::Error::new(
            ErrorKind::InvalidData,
            "payload file is not sealed or not as long as announced",
        )),
    }
}

/// Returns true if `file` can no longer change.
#[must_use]
pub fn is_sealed(file: &impl AsFd) -> bool {
    fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SEALS))
}

/// Makes a file of `length` zero bytes that can be written to and mapped, and whose length nobody can change.
///
/// It has no memory behind it yet: [`reserve`] what is to be relied on.
///
/// # Errors
///
/// `EFBIG` where this process may not make files of that length; `EMFILE`, `ENFILE`, `ENOMEM`.
pub fn fixed(length: u64) -> io::Result<OwnedFd> {
    let file = sized(length)?;
    fcntl_add_seals(&file, FIXED)?;
    Ok(file)
}

/// Returns true if nobody can change the length of `file`.
#[must_use]
pub fn is_fixed(file: &impl AsFd) -> bool {
    fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SealFlags::SHRINK | SealFlags::GROW))
}

/// Puts memory behind `length` bytes of a file from `offset` on, so that no access to them can fail any more; bytes that
/// have some already keep what they hold.
///
/// # Errors
///
/// `ENOSPC` or `ENOMEM` where there is not enough; a part of it may have memory then.
pub fn reserve(file: BorrowedFd<'_>, offset: u64, length: u64) -> io::Result<()> {
    let mut done = 0;
    while done < length {
        let step = STEP.min(length - done);
        allocate(file, FallocateFlags::KEEP_SIZE, offset.saturating_add(done), step)?;
        done += step;
    }
    Ok(())
}

/// How much is reserved at once. A signal undoes a step, and a process whose timer sends one a hundred times a second has
/// to get on: this takes a few milliseconds.
const STEP: u64 = 32 << 20;

/// Gives back the memory behind `length` bytes of a file from `offset` on, which read as zeroes from then on.
///
/// # Errors
///
/// What `fallocate(2)` reports.
pub fn release(file: BorrowedFd<'_>, offset: u64, length: u64) -> io::Result<()> {
    allocate(file, FallocateFlags::KEEP_SIZE | FallocateFlags::PUNCH_HOLE, offset, length)
}

fn allocate(
    file: BorrowedFd<'_>,
    flags: FallocateFlags,
    offset: u64,
    length: u64,
) -> io::Result<()> {
    if length == 0 {
        return Ok(());
    }
    loop {
        match fallocate(file, flags, offset, length) {
            // What was done before the signal has been undone.
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

/// An error where making a file of `length` bytes would have the kernel send SIGXFSZ, which kills.
///
/// # Errors
///
/// `EFBIG`.
pub fn check_limit(length: u64) -> io::Result<()> {
    match getrlimit(Resource::Fsize).current {
        Some(limit) if limit < length => Err(Errno::FBIG.into()),
        _ => Ok(()),
    }
}

/// A file that is filled piece by piece, then sealed.
#[derive(Debug)]
pub struct Filling {
    file: OwnedFd,
    length: u64,
}

impl Filling {
    /// Begins with an empty file.
    ///
    /// # Errors
    ///
    /// As for [`seal`].
    pub fn new() -> io::Result<Self> {
        Ok(Self { file: sized(0)?, length: 0 })
    }

    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// As for [`seal`].
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        check_limit(self.length)?;
        write_all(self.file.as_fd(), bytes)
    }

    /// The file, which can not change any more, and its length.
    ///
    /// # Errors
    ///
    /// As for [`seal`].
    pub fn seal(self) -> io::Result<(OwnedFd, u64)> {
        fcntl_add_seals(&self.file, SEALS)?;
        Ok((self.file, self.length))
    }
}

/// The content of a sealed file, mapped.
#[derive(Debug)]
pub struct Mapped {
    // Invariant: `length` bytes that are mapped for reading until `drop`, of a file that can neither shrink nor change;
    // dangling if there are none.
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: Constant bytes, which do not depend on the thread that has mapped them.
unsafe impl Send for Mapped {}
// SAFETY: As for `Send`.
unsafe impl Sync for Mapped {}

/// Maps the first `length` bytes of a file that a peer has [sealed](seal).
///
/// # Errors
///
/// `InvalidData` if it is not sealed, or shorter; `ENOMEM`.
pub fn map(file: BorrowedFd<'_>, length: u64) -> io::Result<Mapped> {
    let wanted = check(file, length)?;
    if !is_sealed(&file) {
        return Err(io::Error::new(ErrorKind::InvalidData, "payload file can be written to"));
    }
    if wanted == 0 {
        return Ok(Mapped { start: NonNull::dangling(), length: 0 });
    }
    let flags = MapFlags::PRIVATE | MapFlags::POPULATE;
    // SAFETY: A new mapping at an address of the kernel's choice disturbs nobody's memory.
    let start = unsafe { mmap(ptr::null_mut(), wanted, ProtFlags::READ, flags, file, 0) }?;
    let start = NonNull::new(start.cast()).ok_or(ErrorKind::OutOfMemory)?;
    Ok(Mapped { start, length: wanted })
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: By the invariant the bytes are there as long as `self`, and nobody can write to them.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: By the invariant this is a mapping of that length, and nobody borrows from it any more.
            let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_and_cannot_change() {
        let sent: Vec<u8> = (0..100_000u32).map(|i| i as u8).collect();
        let file = seal(&sent).unwrap();
        assert!(is_sealed(&file));
        assert!(write(&file, b"x").is_err());
        assert!(ftruncate(&file, 1).is_err());
        let mut got = vec![7];
        read(file.as_fd(), sent.len() as u64, &mut got).unwrap();
        assert_eq!(got[0], 7);
        assert_eq!(got[1..], sent);
    }

    #[test]
    fn pieces_are_sealed_and_mapped() {
        let mut filling = Filling::new().unwrap();
        filling.append(b"one").unwrap();
        filling.append(&[7; 100_000]).unwrap();
        let (file, length) = filling.seal().unwrap();
        let mapped = map(file.as_fd(), length).unwrap();
        drop(file);
        assert_eq!((&mapped[..3], mapped[3..] == [7; 100_000]), (&b"one"[..], true));
        let empty = seal(b"").unwrap();
        assert_eq!(map(empty.as_fd(), 0).unwrap().len(), 0);
        assert!(map(empty.as_fd(), 1).is_err());
        let open = fixed(4096).unwrap();
        reserve(open.as_fd(), 0, 4096).unwrap();
        let err = map(open.as_fd(), 4096).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidData, "it can be written to");
    }

    #[test]
    fn wrong_length_and_sparse_files_are_refused() {
        let file = seal(b"abc").unwrap();
        let mut got = Vec::new();
        assert_eq!(read(file.as_fd(), 4, &mut got).unwrap_err().kind(), ErrorKind::InvalidData);

        let huge = memfd_create(c"huge", MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&huge, 1 << 40).unwrap();
        fcntl_add_seals(&huge, SEALS).unwrap();
        assert_eq!(
            read(huge.as_fd(), 1 << 40, &mut got).unwrap_err().kind(),
            ErrorKind::InvalidData
        );
        assert_eq!(got.capacity(), 0, "nothing was allocated");
    }

    #[test]
    fn fixed_file_keeps_its_length_and_takes_bytes() {
        let file = fixed(10_000).unwrap();
        assert!(is_fixed(&file) && !is_sealed(&file));
        assert!(!is_fixed(&memfd_create(c"open", MemfdFlags::empty()).unwrap()));
        assert!(ftruncate(&file, 1).is_err() && ftruncate(&file, 20_000).is_err());
        assert_eq!(write(&file, b"bytes").unwrap(), 5);
    }

    #[test]
    fn memory_is_there_when_reserved_and_gone_when_released() {
        let file = fixed(1 << 20).unwrap();
        let committed = || fstat(&file).unwrap().st_blocks * 512;
        assert_eq!(committed(), 0);
        reserve(file.as_fd(), 0, 1 << 19).unwrap();
        assert_eq!(committed(), 1 << 19);
        release(file.as_fd(), 0, 1 << 19).unwrap();
        assert_eq!(committed(), 0);
        assert_eq!(fstat(&file).unwrap().st_size, 1 << 20);
        reserve(file.as_fd(), 0, 0).unwrap();
    }

    #[test]
    fn much_is_reserved_in_steps() {
        let length = 2 * STEP + 12_345;
        let file = fixed(length + 4096).unwrap();
        reserve(file.as_fd(), 4096, length).unwrap();
        let committed = u64::try_from(fstat(&file).unwrap().st_blocks).unwrap() * 512;
        assert_eq!(committed, length.next_multiple_of(4096));
    }
}
