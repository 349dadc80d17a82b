//! The machine that figures are taken on.

use std::{fs, sync::OnceLock};

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

/// Pins this process to the first or the second of the cores that the bench runs on.
pub(crate) fn pin_to(number: usize) -> Result<()> {
    // Before the first pinning: afterwards the others are not allowed any more.
    static ALLOWED: OnceLock<Vec<usize>> = OnceLock::new();
    let affinity = sched_getaffinity(None)?;
    let allowed = ALLOWED
        .get_or_init(|| (0..CpuSet::MAX_CPU).filter(|core| affinity.is_set(*core)).collect());
    let mut set = CpuSet::new();
    set.set(*allowed.get(number).ok_or("the bench wants two cores")?);
    sched_setaffinity(None, &set)?;
    Ok(())
}

/// Microseconds on the clock that all processes share.
pub(crate) fn now_us() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

/// Returns the load averages of the last 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    if words.is_empty() { "unknown".to_owned() } else { words.join(" ") }
}
