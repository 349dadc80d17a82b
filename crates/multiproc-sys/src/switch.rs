//! Turning kernel features off, so that every fallback is run by tests.
//!
//! A sandbox may refuse a system call with `ENOSYS` or with `EPERM`; both mean "not here". The environment variable
//! `MULTIPROC_WITHOUT` holds a comma-separated list of [`Feature`] names that are treated as missing. It is read once
//! per process and, like every variable, inherited by children, so a whole family runs without the feature.

use std::sync::OnceLock;

use rustix::io::Errno;

/// The environment variable that lists the features to do without.
pub const VARIABLE: &str = "MULTIPROC_WITHOUT";

/// A kernel feature that this crate can do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// `pidfd_open(2)` and `CLONE_PIDFD`. Without: a pipe that ends with the child, and `waitpid(2)`.
    Pidfd,
    /// `PIDFD_GET_INFO`. Without: the status of a child that somebody else reaped is unknown.
    PidfdInfo,
    /// `close_range(2)`. Without: descriptors are marked one by one.
    CloseRange,
    /// `CLONE_PARENT`. Without: the fork server is the parent of its processes and reports their status.
    CloneParent,
    /// Signal-driven I/O on a pipe. Without: a thread watches the lifeline.
    Sigio,
    /// `execveat(2)`. Without: `/proc/self/exe` is executed.
    Execveat,
    /// `O_TMPFILE` in `/dev/shm`. Without: named memory is made under its name, for all to see before it is ready.
    Tmpfile,
    /// Locks of open file descriptions, and opening a file anew by way of `/proc`. Without: a block of shared memory that
    /// ever left its maker is not used again while that process lives.
    OfdLocks,
    /// The list of robust mutexes that every thread has. Without: sleepers look by themselves, every few milliseconds,
    /// whether the process they wait for still lives.
    RobustList,
    /// `futex_waitv(2)`. Without: as above, where one waits for a lock.
    FutexWaitv,
    /// That whoever sleeps looks around by itself after a while, though all who wake it should do so. Without: a wake-up
    /// that gets lost shows as a hang, so that tests see it.
    Slices,
    /// Leases and seals that tell whether a payload file can be filled again. Without: a new file for each payload.
    Lease,
    /// `membarrier(2)`. Without: a worker of a pool pays a fence for each call that it begins.
    Membarrier,
}

const NAMES: [(Feature, &str); 13] = [
    (Feature::Pidfd, "pidfd"),
    (Feature::PidfdInfo, "pidfd_info"),
    (Feature::CloseRange, "close_range"),
    (Feature::CloneParent, "clone_parent"),
    (Feature::Sigio, "sigio"),
    (Feature::Execveat, "execveat"),
    (Feature::Tmpfile, "tmpfile"),
    (Feature::OfdLocks, "ofd_locks"),
    (Feature::RobustList, "robust_list"),
    (Feature::FutexWaitv, "futex_waitv"),
    (Feature::Slices, "slices"),
    (Feature::Lease, "lease"),
    (Feature::Membarrier, "membarrier"),
];

/// Returns true if `feature` is to be treated as missing in this process.
#[must_use]
pub fn without(feature: Feature) -> bool {
    static OFF: OnceLock<u32> = OnceLock::new();
    let off = *OFF.get_or_init(|| parse(&std::env::var(VARIABLE).unwrap_or_default()));
    off & (1 << feature as u32) != 0
}

/// Returns true if `errno` says that a system call does not exist here, or may not be used here.
#[must_use]
pub fn is_missing(errno: Errno) -> bool {
    matches!(errno, Errno::NOSYS | Errno::PERM)
}

fn parse(list: &str) -> u32 {
    NAMES
        .iter()
        .filter(|(_, name)| list.split(',').any(|item| item.trim() == *name))
        .fold(0, |off, (feature, _)| off | 1 << *feature as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_names_features() {
        assert_eq!(parse(""), 0);
        assert_eq!(parse("pidfd"), 1 << Feature::Pidfd as u32);
        assert_eq!(
            parse("sigio, pidfd ,nonsense"),
            1 << Feature::Pidfd as u32 | 1 << Feature::Sigio as u32
        );
    }
}
