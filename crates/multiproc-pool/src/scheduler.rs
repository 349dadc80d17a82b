//! Who has which task, and what follows from a worker's answer or death. Nothing in here waits.
//!
//! **Invariant:** a task that was submitted and whose job is not forgotten is in exactly one place: in the queue, with
//! one worker, or in its job, done or waiting to be taken apart.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use multiproc_wire::Message;

use crate::{
    TaskError,
    order::{Order, Program, Reply, Splitter},
    worker::{Answer, Death, Given, Worker},
};

/// How long to wait after a worker that could not be started, or died at birth.
const PAUSE: Duration = Duration::from_millis(20);
/// How many such failures in a row, for each worker there should be, a pool without workers survives.
const ATTEMPTS: usize = 10;

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

/// What there is for somebody who waits for a job.
#[derive(Debug)]
pub(crate) enum Event {
    Done(Done),
    /// A chunk whose worker has died, to be taken apart into its calls; that is code of the user's, so it is done by who
    /// waits, and given back by [`Scheduler::requeue`].
    Split(Task),
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
    events: VecDeque<Event>,
}

struct Slot<W> {
    worker: Arc<W>,
    task: Option<Task>,
    /// The job whose program it has loaded.
    loaded: Option<u64>,
    /// True once it has said that it is there.
    is_ready: bool,
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
    /// How many in a row have failed to come to life: were not started, or died before they said a word.
    failures: usize,
    /// After a failure: when the next worker may be started.
    not_before: Option<Instant>,
    /// How many workers are being started.
    starting: usize,
    /// How many tasks are with those who take them apart.
    splitting: usize,
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
            not_before: None,
            starting: 0,
            splitting: 0,
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
        self.jobs.insert(self.next_job, Job { program, events: VecDeque::new() });
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

    /// Takes what there is for who waits for `job`.
    pub(crate) fn take_event(&mut self, job: u64) -> Option<Event> {
        self.jobs.get_mut(&job)?.events.pop_front()
    }

    /// How to take a chunk of `job` apart.
    pub(crate) fn splitter(&self, job: u64) -> Option<Splitter> {
        self.jobs.get(&job).map(|job| job.program.split)
    }

    /// Puts a task that was to be taken apart back: its parts, or as it is if it could not be.
    pub(crate) fn requeue(&mut self, task: Task, parts: Option<Vec<Message>>) {
        self.splitting -= 1;
        if matches!(self.phase, Phase::Terminated | Phase::Broken(_)) {
            return self.finish(&task, Err(TaskError::NotRunning));
        }
        match parts.filter(|parts| parts.len() == task.count) {
            Some(parts) => {
                for (offset, input) in parts.into_iter().enumerate().rev() {
                    let start = task.start + offset;
                    self.queue.push_front(Task { start, count: 1, input, ..task.clone() });
                }
            }
            None => self.queue.push_front(task),
        }
    }

    /// Forgets a job nobody waits for: what is queued of it is not done, what is under way is for nobody.
    pub(crate) fn forget_job(&mut self, job: u64) {
        let events = self.jobs.remove(&job).map(|job| job.events).unwrap_or_default();
        self.splitting -= events.iter().filter(|event| matches!(event, Event::Split(_))).count();
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

    pub(crate) fn break_down(&mut self, why: &str) {
        self.fail_all(&TaskError::PoolBroken(why.into()));
        self.phase = Phase::Broken(why.into());
    }

    fn fail_all(&mut self, err: &TaskError) {
        let mut tasks: Vec<Task> = self.queue.drain(..).collect();
        for job in self.jobs.values_mut() {
            for event in std::mem::take(&mut job.events) {
                match event {
                    Event::Done(_) => job.events.push_back(event),
                    Event::Split(task) => {
                        self.splitting -= 1;
                        tasks.push(task);
                    }
                }
            }
        }
        tasks.extend(self.slots.iter_mut().filter_map(|slot| slot.task.take()));
        for task in tasks {
            self.finish(&task, Err(err.clone()));
        }
    }

    fn finish(&mut self, task: &Task, outcome: Result<Reply, TaskError>) {
        if let Some(job) = self.jobs.get_mut(&task.job) {
            let done = Done { start: task.start, count: task.count, outcome };
            job.events.push_back(Event::Done(done));
        }
    }

    /// Whether a worker is missing; the caller starts one and says so by `started` or `not_started`.
    pub(crate) fn wants_worker(&mut self) -> bool {
        let may = self.not_before.is_none_or(|moment| moment <= Instant::now());
        let missing = may && self.is_short();
        self.starting += usize::from(missing);
        missing
    }

    /// When a worker that could not be started is tried again.
    pub(crate) fn next_attempt(&self) -> Option<Instant> {
        self.not_before.filter(|_| self.is_short())
    }

    fn is_short(&self) -> bool {
        let wanted = match self.phase {
            Phase::Open => self.size,
            Phase::Closed => self.size.min(self.queue.len() + self.splitting + self.busy()),
            Phase::Terminated | Phase::Broken(_) => 0,
        };
        self.slots.len() + self.starting < wanted
    }

    fn busy(&self) -> usize {
        self.slots.iter().filter(|slot| slot.task.is_some()).count()
    }

    pub(crate) fn started(&mut self, worker: Arc<W>) {
        self.starting -= 1;
        let is_stopping = false;
        self.slots.push(Slot { worker, task: None, loaded: None, is_ready: false, is_stopping });
    }

    /// A worker could not be started, for a reason that may pass or not.
    pub(crate) fn not_started(&mut self, why: &str, may_pass: bool) {
        self.starting -= 1;
        let is_last = self.slots.is_empty() && self.starting == 0;
        if is_last && !may_pass {
            return self.break_down(why);
        }
        self.fail(why);
    }

    /// Counts a worker that has not come to life. With others left that is no disaster; without, it must not go on for
    /// ever.
    fn fail(&mut self, why: &str) {
        self.failures += 1;
        self.not_before = Instant::now().checked_add(PAUSE);
        let is_last = self.slots.is_empty() && self.starting == 0;
        if is_last && self.failures > ATTEMPTS * self.size {
            self.break_down(why);
        }
    }

    /// Gives queued tasks to workers that have none; stops workers that will get none.
    pub(crate) fn assign(&mut self) {
        for at in 0..self.slots.len() {
            // More than once where a task cannot be sent: then the worker is still free.
            while self.slots[at].task.is_none() && !self.slots[at].is_stopping {
                let Some(task) = self.queue.pop_front() else {
                    if self.phase == Phase::Closed && self.splitting == 0 {
                        self.stop(at);
                    }
                    break;
                };
                self.give(at, task);
            }
        }
    }

    fn stop(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        slot.is_stopping = true;
        if let Given::Refused(_) = slot.worker.give(&Order::Stop) {
            // It has nothing in hand.
            slot.worker.terminate();
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
            let outcome = match worker.take() {
                Answer::Ready => {
                    self.failures = 0;
                    if let Some(slot) = self.slot_of(worker) {
                        slot.is_ready = true;
                    }
                    continue;
                }
                Answer::Reply(reply) => Ok(reply),
                Answer::Lost(why) => Err(TaskError::Decode(why)),
                Answer::None => return false,
                Answer::Gone => return true,
            };
            if let Some(task) = self.slot_of(worker).and_then(|slot| slot.task.take()) {
                self.finish(&task, outcome);
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
        let is_over = matches!(self.phase, Phase::Terminated | Phase::Broken(_));
        let was_asked = slot.is_stopping && slot.task.is_none() && self.phase != Phase::Open;
        if is_over || was_asked {
            return;
        }
        self.lost += 1;
        if let Some(task) = slot.task {
            self.retry(task, death);
        }
        if !slot.is_ready {
            let Death { signal, exitcode } = death;
            let how = TaskError::WorkerLost { signal, exitcode, oom: false };
            self.fail(&format!("workers die before they are ready: {how}"));
        }
    }

    fn retry(&mut self, task: Task, death: Death) {
        if task.deaths >= self.retries {
            let Death { signal, exitcode } = death;
            return self.finish(&task, Err(TaskError::WorkerLost { signal, exitcode, oom: false }));
        }
        let again = Task { deaths: task.deaths + 1, ..task };
        match self.jobs.get_mut(&again.job) {
            // The one that kills its workers shall not take the others along.
            Some(job) if again.count > 1 => {
                self.splitting += 1;
                job.events.push_back(Event::Split(again));
            }
            Some(_) => self.queue.push_front(again),
            None => {}
        }
    }

    /// True once every worker has ended and nothing is left to do.
    pub(crate) fn is_over(&self) -> bool {
        self.phase != Phase::Open
            && self.slots.is_empty()
            && self.starting == 0
            && self.queue.is_empty()
            && self.splitting == 0
    }
}

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
