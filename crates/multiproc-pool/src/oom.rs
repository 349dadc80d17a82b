//! Whether the kernel has ended processes for want of memory.

use std::{fs, path::PathBuf};

/// How often it had struck when a worker was started.
#[derive(Debug)]
pub(crate) struct OutOfMemory(Option<u64>);

impl OutOfMemory {
    /// Looks.
    pub(crate) fn now() -> Self {
        Self(count())
    }

    /// True if it has struck since, in this process's control group.
    pub(crate) fn has_struck(&self) -> bool {
        count() > self.0 && self.0.is_some()
    }
}

/// How many processes of this control group the kernel has ended so far; none where that cannot be known.
fn count() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let path: PathBuf = ["/sys/fs/cgroup", group, "memory.events"].iter().collect();
    let events = fs::read_to_string(path).ok()?;
    events.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}
