//! What processes write to standard error, kept in memory.

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd, unix::fs::FileExt},
};

use rustix::fs::{MemfdFlags, memfd_create};

/// Has this process, and those it starts, write its errors to a file in memory.
///
/// # Errors
///
/// What the system reports.
pub fn capture() -> io::Result<File> {
    let file = File::from(memfd_create("stderr", MemfdFlags::CLOEXEC)?);
    // SAFETY: Plain numbers; standard error stays open.
    match unsafe { libc::dup2(file.as_raw_fd(), libc::STDERR_FILENO) } {
        libc::STDERR_FILENO => Ok(file),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What is in the file; its position belongs to those who write.
///
/// # Errors
///
/// What the system reports.
pub fn text(file: &File) -> io::Result<String> {
    let mut bytes = vec![0; usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, 0)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}
