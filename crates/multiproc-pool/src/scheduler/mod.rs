//! Who has which task, and what follows from a worker's answer or death. Nothing in here waits.
//!
//! **Invariant:** a call that was submitted is in exactly one place: in the queue, with one worker, or delivered to its
//! job. It is delivered once.

mod slot;
mod assign;
mod replace;
mod limits;
mod ending;
mod census;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use slot::{Leave, Slot};

use crate::{
    TaskError,
    job::{Done, Job, Outcome, Task},
    later::Later,
    worker::{Answer, Worker},
};

pub(crate) use slot::WorkerId;

/// What a pool is like.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How many workers there should be.
    pub(crate) size: usize,
    pub(crate) retries: u32,
    pub(crate) task_timeout: Option<Duration>,
    pub(crate) max_tasks: Option<usize>,
    pub(crate) idle_timeout: Option<Duration>,
    /// How many workers may die unasked within how long.
    pub(crate) restarts: Option<(u32, Duration)>,
}

/// Whether the pool takes tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// No more tasks; those there are will be done.
    Closed,
    /// Workers are ended now.
    Terminated,
    /// There is no worker and none can be made.
    Broken(String),
}

/// The state of a pool.
pub(crate) struct Scheduler<W> {
    settings: Settings,
    /// True if workers can be killed, and be given more than they work at, because it can be taken back.
    are_processes: bool,
    phase: Phase,
    /// True if Ctrl-C has ended it.
    is_interrupted: bool,
    queue: VecDeque<Task>,
    slots: Vec<Slot<W>>,
    next_id: WorkerId,
    /// How many workers are being started.
    starting: usize,
    /// How many workers have died that were not asked to, and when the latest did.
    lost: u64,
    deaths: VecDeque<Instant>,
    /// How many workers have been started.
    started: u64,
    /// How many have had each place.
    occupants: Vec<u64>,
    /// How many in a row have failed to come to life: were not started, or died before they said a word.
    failures: usize,
    /// After a failure: when the next worker may be started.
    not_before: Option<Instant>,
    /// How many calls are done.
    done: u64,
    /// What is done when nobody has it locked.
    pub(crate) later: Later,
}

impl<W: Worker> Scheduler<W> {
    pub(crate) fn new(settings: Settings, are_processes: bool) -> Self {
        Self {
            settings,
            are_processes,
            phase: Phase::Open,
            is_interrupted: false,
            queue: VecDeque::new(),
            slots: Vec::new(),
            next_id: 1,
            starting: 0,
            lost: 0,
            deaths: VecDeque::new(),
            started: 0,
            occupants: Vec::new(),
            failures: 0,
            not_before: None,
            done: 0,
            later: Later::default(),
        }
    }

    pub(crate) fn phase(&self) -> &Phase {
        &self.phase
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// How many tasks no worker has.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn size(&self) -> usize {
        self.settings.size
    }

    pub(crate) fn workers(&self) -> impl Iterator<Item = (WorkerId, &Arc<W>)> {
        self.slots.iter().map(|slot| (slot.id, &slot.worker))
    }

    /// How many calls each has in hand.
    pub(crate) fn loads(&self) -> impl Iterator<Item = (u64, &Arc<W>)> {
        self.slots.iter().map(|slot| (slot.load(), &slot.worker))
    }

    pub(crate) fn worker(&self, id: WorkerId) -> Option<&Arc<W>> {
        self.slot(id).map(|at| &self.slots[at].worker)
    }

    /// True if it has something to do when a certain time has passed.
    pub(crate) fn is_timed(&self) -> bool {
        self.settings.task_timeout.is_some()
    }

    /// Wakes those who poll for what is queued: to start a worker may be up to them.
    pub(crate) fn nudge(&mut self) {
        self.queue.iter().for_each(|task| task.job.nudge(&mut self.later));
    }

    /// True if nothing is to be done and nothing is being done.
    pub(crate) fn is_quiet(&self) -> bool {
        self.queue.is_empty()
            && self.starting == 0
            && self.slots.iter().all(|slot| slot.is_ready && slot.backlog.is_empty())
    }

    pub(crate) fn check_open(&self) -> Result<(), TaskError> {
        match &self.phase {
            Phase::Open => Ok(()),
            Phase::Terminated if self.is_interrupted => Err(TaskError::Interrupted),
            Phase::Closed | Phase::Terminated => Err(TaskError::NotRunning),
            Phase::Broken(why) => Err(TaskError::PoolBroken(why.clone())),
        }
    }

    /// Queues tasks, and gives what can be given.
    pub(crate) fn submit(
        &mut self,
        tasks: impl IntoIterator<Item = Task>,
    ) -> Result<(), TaskError> {
        self.check_open()?;
        for task in tasks {
            task.job.send_off(task.count);
            self.queue.push_back(task);
        }
        self.assign();
        Ok(())
    }

    /// Delivers what came of calls of a job.
    fn deliver(&mut self, job: &Job, start: usize, count: usize, outcome: Outcome) {
        self.done += count as u64;
        job.deliver(Done { start, count, outcome }, &mut self.later);
    }

    fn fail(&mut self, task: Task, err: TaskError) {
        self.deliver(&task.job, task.start, task.count, Outcome::Failed(err));
        self.later.drop(task);
    }

    /// Delivers the results of the next calls of a worker; false if it was not given as many.
    fn take_results(&mut self, at: usize, count: usize, outcome: Outcome) -> bool {
        let (mut left, mut outcome) = (count, outcome);
        while left > 0 {
            if self.slots[at].backlog.is_empty() {
                // Those of a pool that has ended are nobody's.
                return matches!(self.phase, Phase::Terminated | Phase::Broken(_));
            }
            let Some((job, start, count)) = self.slots[at].answer(left) else { return false };
            let rest;
            (outcome, rest) = match outcome.split(count, left) {
                Some(parts) => parts,
                None => return false,
            };
            left -= count;
            self.deliver(&job, start, count, outcome);
            // Nobody wants it any more, nor what it holds.
            if let Some(last) = Arc::into_inner(job) {
                self.later.drop(last);
            }
            outcome = rest;
        }
        true
    }

    fn slot(&self, id: WorkerId) -> Option<usize> {
        self.slots.iter().position(|slot| slot.id == id)
    }

    /// The workers that have something in hand.
    pub(crate) fn busy(&self) -> impl Iterator<Item = &Arc<W>> {
        self.slots.iter().filter(|slot| !slot.backlog.is_empty()).map(|slot| &slot.worker)
    }

    /// Takes the answers of a worker; true if it says nothing sensible any more.
    pub(crate) fn hear(&mut self, id: WorkerId) -> bool {
        let Some(at) = self.slot(id) else { return false };
        let worker = self.slots[at].worker.clone();
        loop {
            match worker.take() {
                Answer::Ready => {
                    self.failures = 0;
                    self.slots[at].is_ready = true;
                }
                Answer::Unfit(err) => {
                    self.break_down(&err.to_string());
                    return false;
                }
                Answer::Results { count, outcome } => {
                    if !self.take_results(at, count, outcome) {
                        return true;
                    }
                }
                Answer::Replace => {
                    self.slots[at].leave = self.slots[at].leave.max(Leave::Wanted);
                    self.take_back(at);
                }
                Answer::LastWords(err) => self.slots[at].last_words = Some(err),
                Answer::Lost { count, why } => {
                    let outcome = Outcome::Failed(TaskError::Decode(why));
                    if !self.take_results(at, count, outcome) {
                        return true;
                    }
                }
                Answer::None => return false,
                Answer::Gone => return true,
            }
        }
    }
}

#[cfg(test)]
mod tests;
