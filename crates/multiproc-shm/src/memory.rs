//! How much memory this process can hope to get.
//!
//! To reserve memory that is not there does not fail: the system makes room by killing somebody. So it is looked at
//! first, and a block that cannot be is an error that harms nobody. Between the look and the reserving others may take
//! what was there; that is theirs to decide, as with any memory.

use std::{fs, io, path::Path};

use rustix::io::Errno;

/// Below this the look would cost more than it can save.
const SMALL: u64 = 1 << 20;

/// An error where there is certainly no memory for `size` more bytes.
pub(crate) fn check(size: u64) -> io::Result<()> {
    if size < SMALL || size <= available() { Ok(()) } else { Err(Errno::NOMEM.into()) }
}

/// Bytes that could be had now, in this system and under the limits of this process's control group.
fn available() -> u64 {
    let system = fs::read_to_string("/proc/meminfo").ok().and_then(|text| from_meminfo(&text));
    let group = fs::read_to_string("/proc/self/cgroup").ok();
    let group = group.and_then(|text| group_limit(Path::new("/sys/fs/cgroup"), &text));
    system.unwrap_or_else(whole).min(group.unwrap_or(u64::MAX))
}

/// What can be had without swapping others out, and the room to swap.
fn from_meminfo(text: &str) -> Option<u64> {
    let field = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    Some(field("MemAvailable")? + field("SwapFree").unwrap_or(0))
}

/// All memory of the system, where /proc does not tell what is left.
fn whole() -> u64 {
    let info = rustix::system::sysinfo();
    (info.totalram + info.totalswap).saturating_mul(u64::from(info.mem_unit.max(1)))
}

/// The least limit of the group and those above it. What it uses is not looked at: much of that can be reclaimed.
fn group_limit(root: &Path, text: &str) -> Option<u64> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folders = Path::new(path).ancestors().map(|folder| root.join(folder));
    folders
        .filter_map(|folder| fs::read_to_string(folder.join("memory.max")).ok())
        .filter_map(|limit| limit.trim().parse().ok())
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_can_be_is_refused_and_little_is_not() {
        assert!(check(1 << 46).is_err());
        assert!(check(1 << 16).is_ok());
        assert!(available() <= whole());
    }

    #[test]
    fn what_the_system_says_is_read() {
        let text = "MemTotal: 24684096 kB\nMemAvailable:   1000 kB\nSwapFree:  24 kB\n";
        assert_eq!(from_meminfo(text), Some(1024 * 1024));
        assert_eq!(from_meminfo("MemTotal: 1 kB\n"), None);
        assert_eq!(from_meminfo("MemAvailable: much\n"), None);
        assert_eq!(group_limit(Path::new("/nonexistent"), "0::/a/b\n"), None);
        assert_eq!(group_limit(Path::new("/nonexistent"), "1:memory:/a\n"), None);
    }
}
