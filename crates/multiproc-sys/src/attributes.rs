//! What a process inherits from the one that starts it, read here and applied there.
//!
//! A process made by a fork server has the server as its origin, not the requester; so the requester sends these along.
//! Credentials and namespaces stay the server's.

#![expect(unsafe_code, reason = "umask, limits, nice and signal mask by way of libc")]

use std::{io, mem::MaybeUninit};

use rustix::{
    fs::{Mode, OFlags, open},
    process::Pid,
};

/// Number of resources that have a limit on Linux.
const RESOURCES: usize = 16;
/// Most bytes of the affinity mask: room for 8192 cores.
const CORES: usize = 1024;

/// The inherited attributes of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    umask: u32,
    nice: i32,
    signal_mask: u64,
    limits: [(u64, u64); RESOURCES],
    affinity: Vec<u8>,
}

impl Attributes {
    /// Reads those of the calling thread.
    ///
    /// # Errors
    ///
    /// What reading `/proc/thread-self/status` reports.
    pub fn current() -> io::Result<Self> {
        let mut limits = [(0, 0); RESOURCES];
        for (resource, limit) in limits.iter_mut().enumerate() {
            *limit = get_limit(resource);
        }
        let affinity = affinity();
        Ok(Self { umask: umask()?, nice: nice(), signal_mask: signal_mask(), limits, affinity })
    }

    /// Makes them those of this process, touching only what differs from `now`.
    ///
    /// # Errors
    ///
    /// The first refusal: raising a hard limit or lowering a nice value needs a privilege that the server may lack.
    pub fn apply(&self, now: &Self) -> io::Result<()> {
        let mut first = Ok(());
        let mut note = |result: io::Result<()>| {
            if first.is_ok() {
                first = result;
            }
        };
        if self.umask != now.umask {
            rustix::process::umask(Mode::from_raw_mode(self.umask));
        }
        if self.affinity != now.affinity {
            note(set_affinity(&self.affinity));
        }
        for (resource, (wanted, is)) in self.limits.iter().zip(&now.limits).enumerate() {
            if wanted != is {
                note(set_limit(resource, *wanted));
            }
        }
        if self.nice != now.nice {
            note(rustix::process::setpriority_process(None, self.nice).map_err(Into::into));
        }
        if self.signal_mask != now.signal_mask {
            set_signal_mask(self.signal_mask);
        }
        first
    }

    /// Appends the bytes that [`decode`](Self::decode) reads.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.umask.to_le_bytes());
        bytes.extend(self.nice.to_le_bytes());
        bytes.extend(self.signal_mask.to_le_bytes());
        for (soft, hard) in self.limits {
            bytes.extend(soft.to_le_bytes());
            bytes.extend(hard.to_le_bytes());
        }
        bytes.extend((self.affinity.len() as u32).to_le_bytes());
        bytes.extend(&self.affinity);
    }

    /// Takes from the front of `bytes` what [`encode`](Self::encode) wrote; none if it is not that.
    #[must_use]
    pub fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let umask = u32::from_le_bytes(*take(bytes)?);
        let nice = i32::from_le_bytes(*take(bytes)?);
        let signal_mask = u64::from_le_bytes(*take(bytes)?);
        let mut limits = [(0, 0); RESOURCES];
        for limit in &mut limits {
            *limit = (u64::from_le_bytes(*take(bytes)?), u64::from_le_bytes(*take(bytes)?));
        }
        let length = u32::from_le_bytes(*take(bytes)?) as usize;
        let (affinity, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        Some(Self { umask, nice, signal_mask, limits, affinity: affinity.to_vec() })
    }
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (chunk, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(chunk)
}

/// The file mode mask. `umask(2)` can only be asked by changing it, for all threads at once, so the kernel's own table
/// is read, of which it is the second line.
fn umask() -> io::Result<u32> {
    let file = open(c"/proc/thread-self/status", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut start = [0; 128];
    let read = rustix::io::read(&file, &mut start)?;
    let text = String::from_utf8_lossy(&start[..read]);
    let mask = text.lines().find_map(|line| line.strip_prefix("Umask:"));
    mask.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok()).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "no umask in /proc/thread-self/status")
    })
}

fn nice() -> i32 {
    rustix::process::getpriority_process(None::<Pid>).unwrap_or(0)
}

/// The signals that the calling thread blocks, bit `n - 1` for signal `n`.
#[must_use]
pub fn signal_mask() -> u64 {
    let mut mask = 0u64;
    // SAFETY: Only reads the mask, into a variable of the kernel's own size for it.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_BLOCK,
            std::ptr::null::<u64>(),
            &raw mut mask,
            size_of::<u64>(),
        )
    };
    mask
}

/// Sets the signals that the calling thread blocks, without allocating: a forked child may call it.
pub fn set_signal_mask(mask: u64) {
    // SAFETY: Reads the new mask from a variable of the kernel's own size for it.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const mask,
            std::ptr::null_mut::<u64>(),
            size_of::<u64>(),
        )
    };
}

fn get_limit(resource: usize) -> (u64, u64) {
    let mut limit = MaybeUninit::<libc::rlimit>::zeroed();
    // SAFETY: `limit` is writable and of the type that the call wants.
    unsafe { libc::getrlimit(resource as _, limit.as_mut_ptr()) };
    // SAFETY: Two integers; zeroes if the call failed.
    let limit = unsafe { limit.assume_init() };
    (limit.rlim_cur, limit.rlim_max)
}

fn set_limit(resource: usize, (soft, hard): (u64, u64)) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: `limit` is readable and of the type that the call wants.
    match unsafe { libc::setrlimit(resource as _, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The affinity mask of the calling thread; empty where the kernel does not tell.
fn affinity() -> Vec<u8> {
    let mut mask = [0u8; CORES];
    // SAFETY: The kernel writes at most `CORES` bytes.
    let length = unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, CORES, mask.as_mut_ptr()) };
    mask[..usize::try_from(length).unwrap_or(0)].to_vec()
}

fn set_affinity(mask: &[u8]) -> io::Result<()> {
    // SAFETY: The kernel reads `mask.len()` bytes.
    match unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, mask.len(), mask.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_is_exact_and_checked() {
        let attributes = Attributes::current().unwrap();
        let mut bytes = Vec::new();
        attributes.encode(&mut bytes);
        bytes.extend(b"rest");
        let mut rest = bytes.as_slice();
        assert_eq!(Attributes::decode(&mut rest), Some(attributes));
        assert_eq!(rest, b"rest");
        for cut in 0..bytes.len() - 4 {
            assert_eq!(Attributes::decode(&mut &bytes[..cut]), None);
        }
        let length_at = 16 + RESOURCES * 16;
        bytes[length_at..length_at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Attributes::decode(&mut bytes.as_slice()), None);
    }

    #[test]
    fn applying_what_is_changes_nothing() {
        let attributes = Attributes::current().unwrap();
        attributes.apply(&attributes).unwrap();
        assert_eq!(Attributes::current().unwrap(), attributes);
    }
}
