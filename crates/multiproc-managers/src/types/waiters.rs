//! A queue of those who wait to be told.

use std::{collections::VecDeque, sync::Mutex};

use multiproc_sys::primitive::{AtomicU64, Ordering};
use tokio::sync::oneshot;

use super::locked;

/// Those who wait, the first to be told in front.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    next: AtomicU64,
    queue: Mutex<VecDeque<(u64, oneshot::Sender<()>)>>,
}

impl Waiters {
    /// Stands in line at once.
    pub(super) fn stand(&self) -> Waiting<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (tell, told) = oneshot::channel();
        locked(&self.queue).push_back((number, tell));
        Waiting { waiters: self, number, told, was_told: false, settled: false }
    }

    /// Tells the first `count` of those who are still there.
    pub(super) fn tell(&self, count: usize) {
        let mut queue = locked(&self.queue);
        let mut left = count;
        while 0 < left {
            let Some((_, waiter)) = queue.pop_front() else { break };
            if waiter.send(()).is_ok() {
                left -= 1;
            }
        }
    }
}

/// One who waits. Dropped after being told and before it is settled, it tells the next one instead.
pub(super) struct Waiting<'a> {
    waiters: &'a Waiters,
    number: u64,
    told: oneshot::Receiver<()>,
    was_told: bool,
    settled: bool,
}

impl Waiting<'_> {
    /// Waits to be told.
    pub(super) async fn told(&mut self) {
        let _ = (&mut self.told).await;
        self.was_told = true;
    }

    /// Stops waiting, and returns whether it was told nevertheless.
    pub(super) fn stop(&mut self) -> bool {
        locked(&self.waiters.queue).retain(|(number, _)| *number != self.number);
        self.was_told = self.was_told || self.told.try_recv().is_ok();
        self.was_told
    }

    /// Ends the wait: what it was told is its own.
    pub(super) fn settle(mut self) {
        self.settled = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.settled && self.stop() {
            self.waiters.tell(1);
        }
    }
}
