//! Locks on byte ranges that belong to an open file description.
//!
//! The kernel drops them with the last descriptor of the description that took them, so also when the process is killed
//! that had it, and not while the description lies in a message that nobody has read. They are used as a ledger: all are
//! shared ones, which never exclude each other, and tell that somebody holds what the range stands for.
//!
//! **Invariant:** a duplicate of a descriptor, or one that a fork inherits, belongs to the same description. Only
//! [`reopen`] makes a description of its own.

#![expect(unsafe_code, reason = "fcntl(2) with F_OFD_SETLK, which rustix does not have")]

use std::{
    io,
    ops::Range,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{Mode, OFlags, open},
    io::Errno,
};

use crate::switch::{Feature, without};

/// Puts a shared lock on `range`.
///
/// # Errors
///
/// `Unsupported` where the kernel or a sandbox does not have such locks; `ENOLCK` where there is no memory for one.
pub fn hold(file: BorrowedFd<'_>, range: Range<u64>) -> io::Result<()> {
    control(file, libc::F_OFD_SETLK, &mut request(libc::F_RDLCK, &range)?)
}

/// Takes the locks off `range` that this description has on it.
///
/// # Errors
///
/// As [`hold`]: to cut a range in two takes memory.
pub fn let_go(file: BorrowedFd<'_>, range: Range<u64>) -> io::Result<()> {
    control(file, libc::F_OFD_SETLK, &mut request(libc::F_UNLCK, &range)?)
}

/// Returns the range of some lock that another description has on a part of `range`, if there is one.
///
/// # Errors
///
/// `Unsupported`, as [`hold`].
pub fn held_elsewhere(file: BorrowedFd<'_>, range: Range<u64>) -> io::Result<Option<Range<u64>>> {
    let mut request = request(libc::F_WRLCK, &range)?;
    control(file, libc::F_OFD_GETLK, &mut request)?;
    if i32::from(request.l_type) == libc::F_UNLCK {
        return Ok(None);
    }
    let start = u64::try_from(request.l_start).unwrap_or(0);
    // A length of 0 means to the end, however far away.
    let len = u64::try_from(request.l_len).ok().filter(|len| *len != 0).unwrap_or(u64::MAX);
    Ok(Some(start..start.saturating_add(len)))
}

/// Opens the same file anew for reading and writing: a description of its own, without any locks.
///
/// # Errors
///
/// `Unsupported` where `/proc` is missing or a sandbox forbids it; `EMFILE`, `ENFILE`, `ENOMEM`.
pub fn reopen(file: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    if without(Feature::OfdLocks) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    loop {
        return match open(path.as_str(), OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
            Ok(fresh) => Ok(fresh),
            Err(Errno::INTR) => continue,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::PERM | Errno::NOSYS) => {
                Err(io::ErrorKind::Unsupported.into())
            }
            Err(errno) => Err(errno.into()),
        };
    }
}

fn request(kind: libc::c_int, range: &Range<u64>) -> io::Result<libc::flock> {
    let offset = |number: u64| libc::off_t::try_from(number).map_err(|_| Errno::OVERFLOW);
    Ok(libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: offset(range.start)?,
        l_len: offset(range.end.saturating_sub(range.start))?,
        l_pid: 0,
    })
}

fn control(
    file: BorrowedFd<'_>,
    command: libc::c_int,
    request: &mut libc::flock,
) -> io::Result<()> {
    if without(Feature::OfdLocks) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // SAFETY: The request is of the type that these commands read and write.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut *request) } {
        -1 => match io::Error::last_os_error() {
            err if matches!(
                err.raw_os_error(),
                Some(libc::EINVAL | libc::ENOSYS | libc::EPERM)
            ) =>
            {
                Err(io::ErrorKind::Unsupported.into())
            }
            err => Err(err),
        },
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::memfd;

    fn two() -> (OwnedFd, OwnedFd) {
        let file = memfd::fixed(4096).unwrap();
        let other = reopen(file.as_fd()).unwrap();
        (file, other)
    }

    #[test]
    fn one_sees_what_the_other_holds_and_not_what_it_holds_itself() {
        let (one, other) = two();
        hold(one.as_fd(), 16..32).unwrap();
        assert_eq!(held_elsewhere(one.as_fd(), 0..4096).unwrap(), None);
        assert_eq!(held_elsewhere(other.as_fd(), 0..4096).unwrap(), Some(16..32));
        assert_eq!(held_elsewhere(other.as_fd(), 0..16).unwrap(), None);
        hold(other.as_fd(), 0..64).unwrap();
        let_go(one.as_fd(), 16..32).unwrap();
        assert_eq!(held_elsewhere(other.as_fd(), 0..4096).unwrap(), None);
        let_go(other.as_fd(), 16..64).unwrap();
        assert_eq!(held_elsewhere(one.as_fd(), 0..4096).unwrap(), Some(0..16));
    }

    #[test]
    fn locks_go_with_the_last_descriptor_of_their_description() {
        let (one, other) = two();
        hold(other.as_fd(), 0..1).unwrap();
        let duplicate = other.try_clone().unwrap();
        drop(other);
        assert_eq!(held_elsewhere(one.as_fd(), 0..4096).unwrap(), Some(0..1));
        drop(duplicate);
        assert_eq!(held_elsewhere(one.as_fd(), 0..4096).unwrap(), None);
    }
}
