//! Descriptor numbers: marking and moving them.

#![expect(unsafe_code, reason = "closes and replaces descriptors by number")]

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, IntoRawFd, RawFd},
};

use crate::switch::{Feature, without};

/// Marks every descriptor from `first` upwards close-on-exec, without allocating: a forked child may call it.
pub(crate) fn close_on_exec_from(first: RawFd) {
    if !without(Feature::CloseRange) {
        let first = first.cast_unsigned();
        // SAFETY: Marks descriptors, and touches no memory.
        let result = unsafe {
            libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
        };
        if result == 0 {
            return;
        }
    }
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is writable and of the type that the call wants.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    // Numbers above the limit can exist where it was lowered later; there the list of /proc would have to be read.
    let end = RawFd::try_from(limit.rlim_max.min(1 << 20)).unwrap_or(RawFd::MAX);
    for fd in first..end {
        // SAFETY: Marks a descriptor; one that is not open gives an error that says nothing new.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Opens the null device under each standard stream's number that is free, as std does when a program begins.
///
/// Else what is opened next would get the number, and a child would take it for the stream that it inherits.
///
/// # Errors
///
/// What opening `/dev/null` reports.
pub fn fill_standard() -> io::Result<()> {
    for number in 0..=2 {
        // SAFETY: Asks for the marks of a descriptor.
        if unsafe { libc::fcntl(number, libc::F_GETFD) } == -1 {
            let null = rustix::fs::open(
                c"/dev/null",
                rustix::fs::OFlags::RDWR,
                rustix::fs::Mode::empty(),
            )?;
            // The lowest number that is free, unless another thread was faster.
            if null.as_raw_fd() == number {
                let _ = null.into_raw_fd();
            }
        }
    }
    Ok(())
}

/// Makes the standard input of this process the null device.
///
/// # Errors
///
/// What opening `/dev/null` or `dup2(2)` reports.
pub fn stdin_from_null() -> io::Result<()> {
    let null = rustix::fs::open(
        c"/dev/null",
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?;
    replace(0, std::os::fd::AsFd::as_fd(&null))
}

/// Makes the standard stream `number` (0, 1 or 2) a copy of `fd`.
///
/// # Errors
///
/// What `dup2(2)` reports.
///
/// # Panics
///
/// Panics if `number` is not a standard stream: other numbers have owners.
pub fn replace(number: RawFd, fd: BorrowedFd<'_>) -> io::Result<()> {
    assert!((0..=2).contains(&number), "descriptor {number} is not a standard stream");
    // SAFETY: The standard streams belong to nobody in particular, and `fd` is open.
    match unsafe { libc::dup2(fd.as_raw_fd(), number) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
