//! What a pool is at.

use std::time::Duration;

/// What a pool is at; returned by [`Pool::stats`](crate::Pool::stats).
///
/// # Python
///
/// Has no such thing.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PoolStats {
    /// How many calls no worker has yet.
    pub queued: u64,
    /// How many calls are done, well or not.
    pub done: u64,
    /// How many workers have died without having been asked to.
    pub lost: u64,
    /// How many workers have been started, those that replace others among them.
    pub started: u64,
    /// Those that there are.
    pub workers: Vec<WorkerStats>,
}

/// What a worker is at.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerStats {
    /// Its name.
    pub name: String,
    /// Its process id; none if it is a thread.
    pub pid: Option<u32>,
    /// How many workers have had its place before it: pools keep as many places as they have workers.
    pub restarts: u64,
    /// How many calls it has answered.
    pub calls: u64,
    /// How many calls it has in hand.
    pub in_hand: u64,
    /// How long it has been at calls.
    pub busy: Duration,
    /// How long it has waited for calls, or started.
    pub waiting: Duration,
    /// How much memory it has, in bytes; none if it is a thread, or has just ended.
    pub memory: Option<u64>,
}

impl PoolStats {
    /// Looks how much memory the workers have.
    pub(crate) fn weigh(&mut self) {
        for worker in &mut self.workers {
            worker.memory = worker.pid.and_then(|pid| {
                let statm = std::fs::read(format!("/proc/{pid}/statm")).ok()?;
                resident(&statm).filter(|bytes| *bytes > 0)
            });
        }
    }
}

/// How many bytes are resident, by the text of `statm`.
pub(crate) fn resident(statm: &[u8]) -> Option<u64> {
    let pages = statm.split(u8::is_ascii_whitespace).nth(1)?;
    let pages: u64 = std::str::from_utf8(pages).ok()?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
