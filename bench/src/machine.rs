//! The machine that figures are taken on.

use std::fs;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Result;

/// How many cores the rows are made for.
const CORES: usize = 2;

/// Pins this process, and with it everything that it starts, to the first cores it may use.
pub(crate) fn pin() -> Result<Vec<usize>> {
    let allowed = sched_getaffinity(None)?;
    let cores: Vec<usize> =
        (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).take(CORES).collect();
    let mut set = CpuSet::new();
    for core in &cores {
        set.set(*core);
    }
    sched_setaffinity(None, &set)?;
    Ok(cores)
}

/// Returns the load averages of the last 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    if words.is_empty() { "unknown".to_owned() } else { words.join(" ") }
}
