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
        let mut has_taken = false;
        for at in 0..self.slots.len() {
            let slot = &self.slots[at];
            if slot.backlog.is_empty() || slot.doom.is_some() {
                continue;
            }
            // Whatever it begins is not overdue before that.
            let mut wait = timeout;
            if let Some((seq, begun, _)) = slot.running() {
                let has_run = Duration::from_nanos(now.saturating_sub(begun));
                wait = timeout.saturating_sub(has_run);
                if wait.is_zero() {
                    has_taken = true;
                    if self.doom(at, seq, TaskError::TimedOut(timeout)) {
                        continue;
                    }
                    wait = timeout;
                }
            }
            next = Some(next.map_or(wait, |next| next.min(wait)));
        }
        if has_taken {
            self.assign();
        }
        next.and_then(|next| moment.checked_add(next))
    }

    /// Ends a call together with its worker; false if the worker has come to another one meanwhile, which is not to blame.
    ///
    /// What is behind it is taken back first, so nothing can be begun between the last look and the end. To queue it is
    /// not to give it: that is up to the caller, afterwards.
    pub(super) fn doom(&mut self, at: usize, seq: u64, err: TaskError) -> bool {
        self.take_back(at);
        let slot = &mut self.slots[at];
        let is_at_it = slot.running().is_some_and(|(running, ..)| running == seq);
        if is_at_it {
            slot.doom = Some((seq, err));
            slot.worker.kill();
        }
        is_at_it
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
        // What is taken back is given again last, so that no worker comes to anything else meanwhile.
        self.take_out(job);
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
                self.doom(at, seq, TaskError::Cancelled);
                continue;
            }
            // A thread cannot be ended. Nobody waits for it any longer.
            held.task.job = Job::new(job.program.clone());
            let (start, count) = (held.task.start + held.answered, held.task.count - held.answered);
            self.deliver(job, start, count, Outcome::Failed(TaskError::Cancelled));
        }
        self.assign();
    }

    /// Takes all calls of a job that were not begun out of the pool.
    pub(crate) fn withdraw(&mut self, job: &Arc<Job>) {
        self.take_out(job);
        self.assign();
    }

    fn take_out(&mut self, job: &Arc<Job>) {
        let is_its = |task: &Task| Arc::ptr_eq(&task.job, job);
        for at in 0..self.slots.len() {
            if self.slots[at].backlog.iter().any(|held| is_its(&held.task)) {
                self.take_back(at);
            }
        }
        for task in std::mem::take(&mut self.queue) {
            if is_its(&task) {
                self.fail(task, TaskError::Cancelled);
            } else {
                self.queue.push_back(task);
            }
        }
    }
}
