//! Watching, signalling and reaping one exact process.
//!
//! A pid may be reused as soon as somebody has reaped the process; a pidfd always means the same one. It becomes
//! readable when the process has ended, whoever its parent is.

#![expect(unsafe_code, reason = "one ioctl that rustix does not have")]

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open,
        pidfd_send_signal, waitid,
    },
};

use crate::switch::{Feature, is_missing, without};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It has ended, but somebody else took its status.
    Unknown,
}

impl Exit {
    /// Reads the status word of `wait(2)`.
    #[must_use]
    pub fn from_wait_status(status: i32) -> Self {
        if libc::WIFEXITED(status) {
            Self::Code(libc::WEXITSTATUS(status))
        } else if libc::WIFSIGNALED(status) {
            Self::Signal(libc::WTERMSIG(status))
        } else {
            Self::Unknown
        }
    }

    fn from_waitid(status: &WaitIdStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Self::Code(code),
            (_, Some(signal)) => Self::Signal(signal),
            _ => Self::Unknown,
        }
    }
}

/// Opens a pidfd for `pid`; none where the kernel or a sandbox has no pidfds.
///
/// # Errors
///
/// `ESRCH` if there is no such process, `EMFILE`, `ENFILE`, `ENOMEM`.
pub fn open(pid: Pid) -> io::Result<Option<OwnedFd>> {
    if without(Feature::Pidfd) {
        return Ok(None);
    }
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(fd) => Ok(Some(fd)),
        Err(errno) if is_missing(errno) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Sends `signal` to the process behind `pidfd`.
///
/// # Errors
///
/// `ESRCH` if it has ended and been reaped, `EPERM`.
pub fn signal(pidfd: BorrowedFd<'_>, signal: Signal) -> io::Result<()> {
    Ok(pidfd_send_signal(pidfd, signal)?)
}

/// Reaps our child behind `pidfd` if it has ended; none while it runs.
///
/// # Errors
///
/// What `waitid(2)` reports, except that a child that somebody else has reaped is no error: its status is then what the
/// kernel still tells (Linux 6.15 and later), else [`Exit::Unknown`].
pub fn reap(pidfd: BorrowedFd<'_>) -> io::Result<Option<Exit>> {
    loop {
        match waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
            Ok(status) => return Ok(status.map(|status| Exit::from_waitid(&status))),
            Err(Errno::INTR) => {}
            Err(Errno::CHILD) => return lost(pidfd),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Reaps our child `pid` where there are no pidfds; none while it runs.
///
/// # Errors
///
/// What `waitid(2)` reports; a child that somebody else has reaped is [`Exit::Unknown`].
pub fn reap_by_pid(pid: Pid) -> io::Result<Option<Exit>> {
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
            Ok(status) => return Ok(status.map(|status| Exit::from_waitid(&status))),
            Err(Errno::INTR) => {}
            Err(Errno::CHILD) => return Ok(Some(Exit::Unknown)),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The status of a process that we may not or can no longer wait for; none while it runs.
fn lost(pidfd: BorrowedFd<'_>) -> io::Result<Option<Exit>> {
    if !crate::poll::wait_readable(pidfd, Some(std::time::Instant::now()))? {
        return Ok(None);
    }
    Ok(Some(exit_info(pidfd).unwrap_or(Exit::Unknown)))
}

/// `struct pidfd_info` of Linux, up to the exit code.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    pid: u32,
    tgid: u32,
    ppid: u32,
    ids: [u32; 8],
    exit_code: i32,
}

const PIDFD_INFO_EXIT: u64 = 1 << 3;
/// `_IOWR(0xFF, 11, struct pidfd_info)` for the struct above.
const PIDFD_GET_INFO: libc::c_ulong =
    3 << 30 | (size_of::<PidfdInfo>() as libc::c_ulong) << 16 | 0xFF << 8 | 11;

fn exit_info(pidfd: BorrowedFd<'_>) -> Option<Exit> {
    if without(Feature::PidfdInfo) {
        return None;
    }
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: The request's number carries the size of `info`, so the kernel writes no further than that.
    let result =
        unsafe { libc::ioctl(pidfd.as_fd().as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    (result == 0 && info.mask & PIDFD_INFO_EXIT != 0)
        .then(|| Exit::from_wait_status(info.exit_code))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn status_outlives_a_foreign_reaper() {
        let mut child = Command::new("sh").args(["-c", "exit 7"]).spawn().unwrap();
        let pidfd = open(Pid::from_child(&child)).unwrap();
        child.wait().unwrap();
        let exit = pidfd.map(|pidfd| reap(pidfd.as_fd()).unwrap());
        assert!(matches!(exit, None | Some(Some(Exit::Code(7) | Exit::Unknown))), "{exit:?}");
    }

    #[test]
    fn running_then_killed() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        if let Some(pidfd) = open(Pid::from_child(&child)).unwrap() {
            assert_eq!(reap(pidfd.as_fd()).unwrap(), None);
            signal(pidfd.as_fd(), Signal::KILL).unwrap();
            crate::poll::wait_readable(pidfd.as_fd(), None).unwrap();
            assert_eq!(reap(pidfd.as_fd()).unwrap(), Some(Exit::Signal(9)));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}
