//! Bytes in a sealed file without a name.
//!
//! **Invariant:** a file made here can neither shrink nor change once it is shared, so a reader is never killed by a
//! peer's `ftruncate` and never sees bytes move under it.

use std::{
    io::{self, ErrorKind},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create},
    io::{Errno, pread, write},
};

const SEALS: SealFlags =
    SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::WRITE).union(SealFlags::SEAL);

/// Copies `bytes` into a new sealed file.
///
/// # Errors
///
/// `ENOMEM` or `ENOSPC` where there is no memory for them, `EMFILE` where there is no descriptor.
pub fn seal(bytes: &[u8]) -> io::Result<OwnedFd> {
    let file = create()?;
    let length = u64::try_from(bytes.len()).map_err(|_| Errno::FBIG)?;
    ftruncate(&file, length)?;
    let mut rest = bytes;
    while !rest.is_empty() {
        match write(&file, rest) {
            Ok(written) => rest = &rest[written..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    fcntl_add_seals(&file, SEALS)?;
    Ok(file)
}

fn create() -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create(c"multiproc", flags | MemfdFlags::NOEXEC_SEAL) {
        // A kernel before 6.3, where nobody can demand it either.
        Err(Errno::INVAL) => memfd_create(c"multiproc", flags),
        result => result,
    }
}

/// Appends the `length` bytes of a file made by [`seal`] to `bytes`.
///
/// Nothing is allocated before the kernel has said that the file is sealed, is that long and has that much memory
/// behind it: a length is never trusted.
///
/// # Errors
///
/// `InvalidData` if the file is not a sealed one of that length; otherwise what reading reports.
pub fn read(file: BorrowedFd<'_>, length: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let seals = fcntl_get_seals(file).unwrap_or(SealFlags::empty());
    let stat = fstat(file)?;
    let committed = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
    let wanted = usize::try_from(length).ok();
    let (true, true, true, Some(wanted)) = (
        seals.contains(SEALS),
        u64::try_from(stat.st_size) == Ok(length),
        length <= committed,
        wanted,
    ) else {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "payload file is not sealed or not as long as announced",
        ));
    };
    bytes.try_reserve_exact(wanted).map_err(|_| io::Error::from(ErrorKind::OutOfMemory))?;
    let mut offset = 0;
    while offset < length {
        match pread(file, rustix::buffer::spare_capacity(bytes), offset) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => offset += read as u64,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Returns true if `file` can no longer change.
#[must_use]
pub fn is_sealed(file: &impl AsFd) -> bool {
    fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SEALS))
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
}
