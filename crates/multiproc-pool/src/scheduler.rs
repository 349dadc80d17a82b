//! Who has which task, and what follows from a worker's answer or death. Nothing in here waits.
//!
//! **Invariant:** a task that was submitted and whose job is not forgotten is in exactly one place: in the queue, with
//! one worker, or, done, in its job.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use multiproc_wire::Message;

use crate::{
    TaskError,
    order::{Order, Program, Reply},
    worker::{Answer, Death, Given, Worker},
};

/// A chunk of calls on its way.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) job: u64,
    /// The place of its first call in the job.
    pub(crate) start: usize,
    /// How many calls it holds.
    pub(crate) count: usize,
    pub(crate) input: Message,
    /// How many workers have died with it.
    pub(crate) deaths: u32,
}

/// A chunk of calls that is done.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) start: usize,
    pub(crate) count: usize,
    pub(crate) outcome: Result<Reply, TaskError>,
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

struct Job {
    program: Program,
    done: VecDeque<Done>,
}

struct Slot<W> {
    worker: Arc<W>,
    task: Option<Task>,
    /// The job whose program it has loaded.
    loaded: Option<u64>,
    is_stopping: bool,
}

/// The state of a pool.
pub(crate) struct Scheduler<W> {
    phase: Phase,
    queue: VecDeque<Task>,
    jobs: HashMap<u64, Job>,
    next_job: u64,
    slots: Vec<Slot<W>>,
    /// How many workers there should be.
    size: usize,
    retries: u32,
    /// How many workers have died that were not asked to.
    lost: u64,
    /// How many of them in a row, without an answer of any worker in between, had no task.
    failures: usize,
    /// How many workers are being started.
    starting: usize,
}

impl<W: Worker> Scheduler<W> {
    pub(crate) fn new(size: usize, retries: u32) -> Self {
        Self {
            phase: Phase::Open,
            queue: VecDeque::new(),
            jobs: HashMap::new(),
            next_job: 0,
            slots: Vec::new(),
            size,
            retries,
            lost: 0,
            failures: 0,
            starting: 0,
        }
    }

    pub(crate) fn phase(&self) -> &Phase {
        &self.phase
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    pub(crate) fn workers(&self) -> impl Iterator<Item = &Arc<W>> {
        self.slots.iter().map(|slot| &slot.worker)
    }

    /// Begins a job, whose tasks all run `program`.
    pub(crate) fn open_job(&mut self, program: Program) -> Result<u64, TaskError> {
        self.check_open()?;
        self.next_job += 1;
        self.jobs.insert(self.next_job, Job { program, done: VecDeque::new() });
        Ok(self.next_job)
    }

    /// Queues a task.
    pub(crate) fn submit(&mut self, task: Task) -> Result<(), TaskError> {
        self.check_open()?;
        self.queue.push_back(task);
        Ok(())
    }

    fn check_open(&self) -> Result<(), TaskError> {
        match &self.phase {
            Phase::Open => Ok(()),
            Phase::Closed | Phase::Terminated => Err(TaskError::NotRunning),
            Phase::Broken(why) => Err(TaskError::PoolBroken(why.clone())),
        }
    }

    /// Takes a task that is done.
    pub(crate) fn take_done(&mut self, job: u64) -> Option<Done> {
        self.jobs.get_mut(&job)?.done.pop_front()
    }

    /// Forgets a job nobody waits for: what is queued of it is not done, what is under way is for nobody.
    pub(crate) fn forget_job(&mut self, job: u64) {
        self.jobs.remove(&job);
        self.queue.retain(|task| task.job != job);
    }

    /// Takes no more tasks.
    pub(crate) fn close(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closed;
        }
    }

    /// Fails all that is not done; the workers are the caller's to end.
    pub(crate) fn terminate(&mut self) {
        if self.phase != Phase::Terminated {
            self.fail_all(&TaskError::NotRunning);
            self.phase = Phase::Terminated;
        }
    }

    fn break_down(&mut self, why: &str) {
        self.fail_all(&TaskError::PoolBroken(why.into()));
        self.phase = Phase::Broken(why.into());
    }

    fn fail_all(&mut self, err: &TaskError) {
        let mut tasks: Vec<Task> = self.queue.drain(..).collect();
        tasks.extend(self.slots.iter_mut().filter_map(|slot| slot.task.take()));
        for task in tasks {
            self.finish(&task, Err(err.clone()));
        }
    }

    fn finish(&mut self, task: &Task, outcome: Result<Reply, TaskError>) {
        if let Some(job) = self.jobs.get_mut(&task.job) {
            job.done.push_back(Done { start: task.start, count: task.count, outcome });
        }
    }

    /// Whether a worker is missing; the caller starts one and says so by `started` or `not_started`.
    pub(crate) fn wants_worker(&mut self) -> bool {
        let wanted = match self.phase {
            Phase::Open => self.size,
            Phase::Closed => self.size.min(self.queue.len() + self.busy()),
            Phase::Terminated | Phase::Broken(_) => 0,
        };
        let missing = self.slots.len() + self.starting < wanted;
        self.starting += usize::from(missing);
        missing
    }

    fn busy(&self) -> usize {
        self.slots.iter().filter(|slot| slot.task.is_some()).count()
    }

    pub(crate) fn started(&mut self, worker: Arc<W>) {
        self.starting -= 1;
        self.slots.push(Slot { worker, task: None, loaded: None, is_stopping: false });
    }

    /// A worker could not be started. With others left that is no disaster; without, nobody would do the tasks.
    pub(crate) fn not_started(&mut self, why: &str) {
        self.starting -= 1;
        if self.slots.is_empty() && self.starting == 0 {
            self.break_down(why);
        } else {
            // It is tried again when one of the others dies.
            self.size = self.slots.len() + self.starting;
        }
    }

    /// Gives queued tasks to workers that have none; stops workers that will get none.
    pub(crate) fn assign(&mut self) {
        for at in 0..self.slots.len() {
            let slot = &mut self.slots[at];
            if slot.task.is_some() || slot.is_stopping {
                continue;
            }
            if let Some(task) = self.queue.pop_front() {
                self.give(at, task);
            } else if self.phase == Phase::Closed {
                // One that is gone already shows it.
                let _ = slot.worker.give(&Order::Stop);
                slot.is_stopping = true;
            }
        }
    }

    fn give(&mut self, at: usize, task: Task) {
        let Some(job) = self.jobs.get(&task.job) else { return };
        let slot = &mut self.slots[at];
        let is_loaded = slot.loaded == Some(task.job);
        let program = (!is_loaded).then(|| job.program.message.clone());
        match slot.worker.give(&Order::Run { job: task.job, program, input: task.input.clone() }) {
            Given::Taken => {
                slot.loaded = Some(task.job);
                slot.task = Some(task);
            }
            Given::Gone => {
                // It has not seen the task.
                slot.is_stopping = true;
                self.queue.push_front(task);
            }
            Given::Refused(why) => self.finish(&task, Err(TaskError::Encode(why))),
        }
    }

    /// Takes the answers of `worker`; true if it says nothing sensible any more.
    pub(crate) fn hear(&mut self, worker: &Arc<W>) -> bool {
        loop {
            match worker.take() {
                Answer::Reply(reply) => {
                    self.failures = 0;
                    let task = self.slot_of(worker).and_then(|slot| slot.task.take());
                    if let Some(task) = task {
                        self.finish(&task, Ok(reply));
                    }
                }
                Answer::None => return false,
                Answer::Gone => return true,
            }
        }
    }

    fn slot_of(&mut self, worker: &Arc<W>) -> Option<&mut Slot<W>> {
        self.slots.iter_mut().find(|slot| Arc::ptr_eq(&slot.worker, worker))
    }

    /// Takes down the death of `worker`: its task is retried or fails, nothing else is touched.
    pub(crate) fn bury(&mut self, worker: &Arc<W>, death: Death) {
        self.hear(worker);
        let Some(at) = self.slots.iter().position(|slot| Arc::ptr_eq(&slot.worker, worker)) else {
            return;
        };
        let slot = self.slots.swap_remove(at);
        if slot.is_stopping && slot.task.is_none() && self.phase != Phase::Open {
            return;
        }
        self.lost += 1;
        match slot.task {
            Some(task) => self.retry(task, death),
            None => {
                self.failures += 1;
                if self.failures > 2 * self.size + 2 {
                    let how = TaskError::WorkerLost {
                        signal: death.signal,
                        exitcode: death.exitcode,
                        oom: false,
                    };
                    self.break_down(&format!("workers die before they have done anything: {how}"));
                }
            }
        }
    }

    fn retry(&mut self, task: Task, death: Death) {
        if matches!(self.phase, Phase::Terminated | Phase::Broken(_)) {
            return self.finish(&task, Err(TaskError::NotRunning));
        }
        if task.deaths >= self.retries {
            let Death { signal, exitcode } = death;
            return self.finish(&task, Err(TaskError::WorkerLost { signal, exitcode, oom: false }));
        }
        let Some(job) = self.jobs.get(&task.job) else { return };
        let again = Task { deaths: task.deaths + 1, ..task };
        let parts = if again.count > 1 { (job.program.split)(&again.input) } else { None };
        match parts.filter(|parts| parts.len() == again.count) {
            // The one that kills its workers shall not take the others along.
            Some(parts) => {
                for (offset, input) in parts.into_iter().enumerate().rev() {
                    self.queue.push_front(Task {
                        start: again.start + offset,
                        count: 1,
                        input,
                        ..again.clone()
                    });
                }
            }
            None => self.queue.push_front(again),
        }
    }

    /// True once every worker has ended and nothing is left to do.
    pub(crate) fn is_over(&self) -> bool {
        self.phase != Phase::Open
            && self.slots.is_empty()
            && self.starting == 0
            && self.queue.is_empty()
    }
}

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
