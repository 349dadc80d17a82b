//! The folder in which named blocks are files, as the C library's `shm_open` has it.

use std::{
    ffi::CString,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use multiproc_sys::switch::{Feature, without};
use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, linkat, lstat, open, statvfs, unlink},
    io::Errno,
};

use crate::ShmError;

/// The folder.
pub(crate) const FOLDER: &str = "/dev/shm";

/// As Python has it: nobody but the user may look.
const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// A block without its name: what leads to it, and to no other file as long as this one exists.
pub(crate) type Identity = (u64, u64);

/// Returns the name without leading slashes, if it can be that of a block.
pub(crate) fn check_name(name: &str) -> Result<&str, ShmError> {
    let bare = name.trim_start_matches('/');
    let reason = match bare {
        "" => "is empty",
        "." | ".." => "is that of a folder",
        _ if bare.contains('\0') => "contains a zero byte",
        _ if bare.contains('/') => "contains a slash behind its first character",
        _ if 255 < bare.len() => "is longer than 255 bytes",
        _ => return Ok(bare),
    };
    Err(ShmError::InvalidName { name: name.into(), reason })
}

/// Makes a file that has no name yet, so that it can be filled before anybody sees it; none where there are no such files.
pub(super) fn create_unnamed() -> io::Result<Option<OwnedFd>> {
    if without(Feature::Tmpfile) {
        return Ok(None);
    }
    match open(FOLDER, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, MODE) {
        // It is named by way of /proc.
        Ok(file) => Ok(lstat(proc_path(&file)).is_ok().then_some(file)),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Gives a file made by [`create_unnamed`] its name.
pub(super) fn give_name(file: &OwnedFd, name: &str) -> io::Result<()> {
    Ok(linkat(CWD, proc_path(file), CWD, path(name)?, AtFlags::SYMLINK_FOLLOW)?)
}

fn proc_path(file: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}

/// Makes a file under its name, for all to see before it has a size.
pub(super) fn create_named(name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(open(path(name)?, flags, MODE)?)
}

/// Opens the file of this name.
pub(super) fn open_named(name: &str) -> io::Result<OwnedFd> {
    // Not waiting, because a pipe may have been put there.
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(open(path(name)?, flags, MODE)?)
}

/// Which file the name leads to.
pub(crate) fn identity_of(name: &str) -> Option<Identity> {
    lstat(path(name).ok()?).ok().map(|stat| identity(&stat))
}

pub(super) fn identity(stat: &Stat) -> Identity {
    (stat.st_dev, stat.st_ino)
}

/// Looks at an open file, which has to be one that can be mapped.
pub(super) fn look(file: &impl AsFd) -> io::Result<Stat> {
    let stat = rustix::fs::fstat(file)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(stat),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file")),
    }
}

/// Removes the name if it leads to this file, and says why if not.
///
/// Between the look and the removal somebody may put another file in its place; no call of the system does both.
pub(crate) fn remove_exactly(name: &str, identity: Identity) -> io::Result<()> {
    let path = path(name)?;
    let stat = lstat(&path)?;
    if (stat.st_dev, stat.st_ino) != identity {
        return Err(io::Error::other("another block has this name by now, and is left alone"));
    }
    Ok(unlink(&path)?)
}

fn path(name: &str) -> io::Result<CString> {
    let name = check_name(name).map_err(|err| io::Error::new(io::ErrorKind::InvalidInput, err))?;
    Ok(CString::new(format!("{FOLDER}/{name}"))?)
}

/// An error where the folder certainly has no room for `size` more bytes.
pub(super) fn check_room(size: u64) -> io::Result<()> {
    let stat = statvfs(FOLDER)?;
    // No blocks at all are said of a folder without a limit.
    match stat.f_blocks != 0 && stat.f_bavail.saturating_mul(stat.f_frsize) < size {
        true => Err(Errno::NOSPC.into()),
        false => Ok(()),
    }
}

/// What to say where `size` bytes found no room.
pub(super) fn no_space(size: u64, source: io::Error) -> ShmError {
    let free = statvfs(FOLDER).map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize));
    let advice = match free {
        Ok(free) if free < size => format!(
            "{free} bytes are free; make it larger (`mount -o remount,size=… /dev/shm`, \
             `docker run --shm-size=…`), or use memory without a name"
        ),
        _ => "there is not enough memory; raise the limit, or share less".into(),
    };
    ShmError::NoSpace { size, place: FOLDER, advice, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_are_refused() {
        for name in ["", "/", "//", ".", "..", "a/b", "/a/b", "nul\0", &"x".repeat(256)] {
            assert!(matches!(check_name(name), Err(ShmError::InvalidName { .. })), "{name:?}");
        }
        assert_eq!(check_name("/psm_1").unwrap(), "psm_1");
        assert_eq!(check_name("…").unwrap(), "…");
        assert!(check_name(&"x".repeat(255)).is_ok());
    }

    #[test]
    fn removal_spares_another_file() {
        let name = format!("multiproc-place-{}", std::process::id());
        let file = create_named(&name).unwrap();
        let (device, inode) = identity_of(&name).unwrap();
        assert_eq!(identity(&look(&file).unwrap()), (device, inode));
        assert!(remove_exactly(&name, (device, inode + 1)).is_err());
        remove_exactly(&name, (device, inode)).unwrap();
        let err = remove_exactly(&name, (device, inode)).unwrap_err();
        assert_eq!(err.kind(), io::ErrorKind::NotFound);
    }
}
