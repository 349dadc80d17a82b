//! How a pool ends.

use std::sync::Arc;

use super::{
    Phase, Scheduler,
    slot::{Leave, Slot},
};
use crate::{TaskError, worker::Worker};

impl<W: Worker> Scheduler<W> {
    /// Takes no more tasks.
    pub(crate) fn close(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closed;
            self.assign();
        }
    }

    /// Fails all that is not done, and tells the workers to end; to wait for them is the caller's.
    pub(crate) fn terminate(&mut self, err: &TaskError) {
        if self.phase != Phase::Terminated {
            self.phase = Phase::Terminated;
            self.is_interrupted = *err == TaskError::Interrupted;
            self.fail_all(err);
        }
    }

    pub(crate) fn break_down(&mut self, why: &str) {
        if !matches!(self.phase, Phase::Terminated | Phase::Broken(_)) {
            self.phase = Phase::Broken(why.into());
            self.fail_all(&TaskError::PoolBroken(why.into()));
        }
    }

    fn fail_all(&mut self, err: &TaskError) {
        let mut failed: Vec<_> = self.queue.drain(..).map(|task| (task, 0)).collect();
        for slot in &mut self.slots {
            failed.extend(slot.backlog.drain(..).map(|held| (held.task, held.answered)));
            slot.worker.terminate();
        }
        for (task, answered) in failed {
            let (start, count) = (task.start + answered, task.count - answered);
            let outcome = crate::job::Outcome::Failed(err.clone());
            self.deliver(&task.job, start, count, outcome);
            self.later.drop(task);
        }
    }

    /// One of the workers of a pool in which nothing can happen any more but that they end, as they were asked to.
    pub(crate) fn ending(&self) -> Option<&Arc<W>> {
        let is_leaving = |slot: &Slot<W>| slot.leave == Leave::Asked && slot.backlog.is_empty();
        let is_ending = self.phase == Phase::Closed
            && self.queue.is_empty()
            && self.starting == 0
            && self.slots.iter().all(is_leaving);
        self.slots.first().filter(|_| is_ending).map(|slot| &slot.worker)
    }

    /// True once every worker has ended and nothing is left to do.
    pub(crate) fn is_over(&self) -> bool {
        self.phase != Phase::Open
            && self.slots.is_empty()
            && self.starting == 0
            && self.queue.is_empty()
    }
}
