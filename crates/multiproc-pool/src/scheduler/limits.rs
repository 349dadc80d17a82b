//! Limits: how long a call may take, how long a worker may be idle, how many there are; and calls that are cancelled.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Leave, Phase, Scheduler};
use crate::{
    TaskError,
    job::{Job, Outcome, Task},
    worker::{Worker, ask_to_stop, now},
};

impl<W: Worker> Scheduler<W> {
    /// Does what time has made due; returns when there is something next.
    pub(crate) fn tick(&mut self) -> Option<Instant> {
        let timeouts = self.end_overdue();
        let idle = self.retire_idle();
        timeouts.into_iter().chain(idle).min()
    }

    /// Ends workers whose call takes too long.
    fn end_overdue(&mut self) -> Option<Instant> {
        let timeout = self.settings.task_timeout?;
        let (now, moment) = (now(), Instant::now());
        let mut next: Option<Duration> = None;
        for slot in &mut self.slots {
            if slot.backlog.is_empty() || slot.doom.is_some() {
                continue;
            }
            let wait = match slot.running() {
                Some((seq, begun, _)) => {
                    let has_run = Duration::from_nanos(now.saturating_sub(begun));
                    if has_run >= timeout {
                        slot.doom = Some((seq, TaskError::TimedOut(timeout)));
                        slot.worker.kill();
                        continue;
                    }
                    timeout - has_run
                }
                // Whatever it begins is not overdue before that.
                None => timeout,
            };
            next = Some(next.map_or(wait, |next| next.min(wait)));
        }
        next.and_then(|next| moment.checked_add(next))
    }

    /// Ends workers that have long had nothing to do.
    fn retire_idle(&mut self) -> Option<Instant> {
        let timeout = self.settings.idle_timeout?;
        if self.phase != Phase::Open || !self.queue.is_empty() {
            return None;
        }
        let now = Instant::now();
        let mut next: Option<Instant> = None;
        for at in 0..self.slots.len() {
            let slot = &self.slots[at];
            if !slot.is_ready || !slot.backlog.is_empty() || slot.leave != Leave::No {
                continue;
            }
            match slot.idle_since.checked_add(timeout) {
                Some(end) if end <= now => self.stop(at),
                Some(end) => next = Some(next.map_or(end, |next| next.min(end))),
                None => {}
            }
        }
        next
    }

    /// Has another number of workers from now on.
    pub(crate) fn resize(&mut self, size: usize) {
        self.settings.size = size;
        let mut staying: Vec<usize> =
            (0..self.slots.len()).filter(|at| self.slots[*at].leave == Leave::No).collect();
        // Those with the least to do go first.
        staying.sort_by_key(|at| self.slots[*at].load());
        let excess = staying.len().saturating_sub(size);
        for at in staying.into_iter().take(excess) {
            if self.are_processes {
                self.take_back(at);
            }
            self.stop(at);
        }
        self.assign();
    }

    /// Ends the calls of a job, those that are running, too; what is done stays.
    pub(crate) fn cancel(&mut self, job: &Arc<Job>) {
        self.withdraw(job);
        for at in 0..self.slots.len() {
            let slot = &mut self.slots[at];
            let Some((seq, _, next)) = slot.running() else { continue };
            let held = slot.backlog.iter_mut().find(|held| (held.seq..held.end()).contains(&seq));
            let Some(held) = held.filter(|held| Arc::ptr_eq(&held.task.job, job)) else { continue };
            if slot.doom.is_some() {
                continue;
            }
            ask_to_stop(slot.worker.board(), next);
            if self.are_processes {
                slot.doom = Some((seq, TaskError::Cancelled));
                slot.worker.kill();
                continue;
            }
            // A thread cannot be ended. Nobody waits for it any longer.
            held.task.job = Job::new(job.program.clone());
            let (start, count) = (held.task.start + held.answered, held.task.count - held.answered);
            self.deliver(job, start, count, Outcome::Failed(TaskError::Cancelled));
        }
    }

    /// Takes all calls of a job that were not begun out of the pool.
    pub(crate) fn withdraw(&mut self, job: &Arc<Job>) {
        let is_its = |task: &Task| Arc::ptr_eq(&task.job, job);
        for at in 0..self.slots.len() {
            if self.slots[at].backlog.iter().any(|held| is_its(&held.task)) {
                self.take_back(at);
            }
        }
        for task in std::mem::take(&mut self.queue) {
            if is_its(&task) {
                self.fail(&task, TaskError::Cancelled);
            } else {
                self.queue.push_back(task);
            }
        }
        self.assign();
    }
}
