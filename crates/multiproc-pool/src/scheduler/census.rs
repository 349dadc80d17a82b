//! What can be counted.

use std::time::{Duration, Instant};

use super::Scheduler;
use crate::{
    stats::{PoolStats, WorkerStats},
    worker::{Worker, busy},
};

impl<W: Worker> Scheduler<W> {
    /// Counts.
    pub(crate) fn stats(&self) -> PoolStats {
        let workers: Vec<_> = self
            .slots
            .iter()
            .map(|slot| {
                let (name, pid) = slot.worker.identity();
                let lived = Instant::now().saturating_duration_since(slot.started);
                let busy = Duration::from_nanos(busy(slot.worker.board())).min(lived);
                WorkerStats {
                    name: name.into(),
                    pid: (pid != 0).then_some(pid),
                    restarts: slot.restarts,
                    calls: slot.calls,
                    in_hand: slot.load(),
                    busy,
                    waiting: lived - busy,
                    memory: None,
                }
            })
            .collect();
        PoolStats {
            queued: self.queue.iter().map(|task| task.count as u64).sum(),
            done: self.done,
            lost: self.lost,
            started: self.started,
            workers,
        }
    }
}
