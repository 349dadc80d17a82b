//! The machine that figures are taken on.

use std::{fs, io, sync::OnceLock};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Result;

/// How many cores the rows are made for.
const CORES: usize = 2;

/// Where the two processes of a case run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seats {
    /// On any of the cores.
    Any,
    /// Both on the same core.
    One,
    /// Each on a core of its own.
    Two,
}

impl Seats {
    /// Returns the core of the process that measures and the core of its child, out of `cores`.
    pub(crate) fn choose(self, cores: &[usize]) -> Result<Option<(usize, usize)>> {
        match (self, cores) {
            (Self::Any, _) => Ok(None),
            (Self::One, [core, ..]) => Ok(Some((*core, *core))),
            (Self::Two, [here, there, ..]) => Ok(Some((*here, *there))),
            _ => Err(format!("there are only {} cores to run on", cores.len()).into()),
        }
    }
}

/// Pins this process, and with it everything that it starts, to the first cores it may use.
pub(crate) fn pin() -> Result<Vec<usize>> {
    let cores = cores()?;
    pin_to(&cores)?;
    Ok(cores)
}

/// Returns the first cores that this process may use.
pub(crate) fn cores() -> Result<Vec<usize>> {
    let allowed = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).take(CORES).collect())
}

/// Pins this process to these cores.
pub(crate) fn pin_to(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// Pins this process to the first or the second of the cores that the bench runs on.
pub(crate) fn pin_to_number(number: usize) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_given_out_of_the_cores_that_are_there() {
        assert_eq!(Seats::One.choose(&[3, 5]).unwrap(), Some((3, 3)));
        assert_eq!(Seats::Two.choose(&[3, 5]).unwrap(), Some((3, 5)));
        assert_eq!(Seats::Any.choose(&[3]).unwrap(), None);
        assert!(Seats::Two.choose(&[3]).is_err());
    }
}
