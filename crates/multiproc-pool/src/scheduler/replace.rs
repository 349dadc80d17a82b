//! Workers that come and go.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Leave, Phase, Scheduler, WorkerId, assign::cut, slot::Slot};
use crate::{
    TaskError,
    job::Task,
    worker::{Death, Worker, next},
};

/// How long to wait after a worker that could not be started, or died at birth.
const PAUSE: Duration = Duration::from_millis(20);
/// How many such failures in a row, for each worker there should be, a pool without workers survives.
const ATTEMPTS: usize = 10;
/// How many workers may die with a task as the first thing to begin, beside those that it may kill.
const SCARES: u32 = 3;

impl<W: Worker> Scheduler<W> {
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

    pub(crate) fn is_short(&self) -> bool {
        let size = self.settings.size;
        let busy = || self.slots.iter().filter(|slot| !slot.backlog.is_empty()).count();
        let wanted = match self.phase {
            // Those that were idle too long have left; they come back when there is something to do.
            Phase::Open if self.settings.idle_timeout.is_some() && self.started >= size as u64 => {
                size.min(self.queue.len() + busy())
            }
            Phase::Open => size,
            Phase::Closed => size.min(self.queue.len() + busy()),
            Phase::Terminated | Phase::Broken(_) => 0,
        };
        self.slots.iter().filter(|slot| slot.is_staying()).count() + self.starting < wanted
    }

    pub(crate) fn started(&mut self, worker: Arc<W>) -> WorkerId {
        self.starting -= 1;
        self.started += 1;
        let id = self.next_id;
        self.next_id += 1;
        let (place, restarts) = self.take_place();
        self.slots.push(Slot::new(id, worker, place, restarts));
        self.assign();
        id
    }

    /// The first place that nobody has, and how many have had it.
    fn take_place(&mut self) -> (usize, u64) {
        let is_taken =
            |place: &usize| self.slots.iter().any(|slot| slot.is_staying() && slot.place == *place);
        let place =
            (0..self.slots.len()).find(|place| !is_taken(place)).unwrap_or(self.slots.len());
        if self.occupants.len() <= place {
            self.occupants.resize(place + 1, 0);
        }
        self.occupants[place] += 1;
        (place, self.occupants[place] - 1)
    }

    /// A worker could not be started, for a reason that may pass or not.
    pub(crate) fn not_started(&mut self, why: &str, may_pass: bool) {
        self.starting -= 1;
        let is_last = self.slots.is_empty() && self.starting == 0;
        if is_last && !may_pass {
            return self.break_down(why);
        }
        self.stumble(why);
    }

    /// Counts a worker that has not come to life. With others left that is no disaster; without, it must not go on for
    /// ever.
    fn stumble(&mut self, why: &str) {
        self.failures += 1;
        self.not_before = Instant::now().checked_add(PAUSE);
        let is_last = self.slots.is_empty() && self.starting == 0;
        if is_last && self.failures > ATTEMPTS * self.settings.size {
            self.break_down(why);
        }
    }

    /// Takes down the death of a worker: the calls that it had begun are retried or fail, the others are queued again,
    /// nothing else is touched.
    pub(crate) fn bury(&mut self, id: WorkerId, death: Death) {
        self.hear(id);
        let Some(at) = self.slot(id) else { return };
        let mut slot = self.slots.swap_remove(at);
        let is_over = matches!(self.phase, Phase::Terminated | Phase::Broken(_));
        let was_asked = matches!(slot.leave, Leave::Asked | Leave::Gone) && slot.backlog.is_empty();
        if is_over
            || (was_asked && death.exitcode == Some(0))
            || (was_asked && self.phase != Phase::Open)
        {
            return;
        }
        let was_doomed = slot.doom.is_some();
        let is_ready = slot.is_ready;
        self.settle(&mut slot, death);
        if !was_doomed {
            self.lost += 1;
            self.count_death();
        }
        if !is_ready {
            let how = TaskError::from(death);
            self.stumble(&format!("workers die before they are ready: {how}"));
        }
        self.assign();
    }

    /// What becomes of the calls that a dead worker had in hand.
    fn settle(&mut self, slot: &mut Slot<W>, death: Death) {
        let open = slot.first_open();
        let first = slot.behind(next(slot.worker.board(), open, slot.next_seq));
        let mut waiting = VecDeque::from(cut(slot, first));
        if first == open
            && slot.is_ready
            && let Some(task) = waiting.pop_front()
        {
            // It is given alone from now on, so that it costs nobody else anything.
            let (mut task, rest) = task.portion(1, usize::MAX);
            rest.into_iter().for_each(|rest| waiting.push_front(rest));
            task.scares += 1;
            if task.scares > SCARES.saturating_add(self.settings.retries) {
                self.fail(task, death.into());
            } else {
                waiting.push_front(task);
            }
        }
        waiting.into_iter().rev().for_each(|task| self.queue.push_front(task));
        // What is left was begun. The last of it was running; the others are done, and their results are lost.
        while let Some(held) = slot.backlog.pop_back() {
            let is_running = held.end() == first;
            let Some(task) = held.task.split(held.answered).1 else { continue };
            let calls = task.count - usize::from(is_running);
            let (done, running) = task.split(calls);
            if let Some(running) = running {
                let fate = match (slot.doom.take(), slot.last_words.take()) {
                    (Some((seq, err)), _) if seq + 1 == first => Some(err),
                    (_, words) => words,
                };
                match fate {
                    Some(err) => self.fail(running, err),
                    None => self.retry(running, death),
                }
            }
            if let Some(done) = done {
                self.retry(done, death);
            }
        }
    }

    fn retry(&mut self, task: Task, death: Death) {
        if task.deaths >= self.settings.retries {
            return self.fail(task, death.into());
        }
        self.queue.push_front(Task { deaths: task.deaths + 1, ..task });
    }

    /// Counts a death against how many there may be.
    fn count_death(&mut self) {
        let Some((most, within)) = self.settings.restarts else { return };
        let now = Instant::now();
        self.deaths.push_back(now);
        while self.deaths.front().is_some_and(|death| now.duration_since(*death) > within) {
            self.deaths.pop_front();
        }
        if self.deaths.len() > most as usize {
            self.break_down(&format!("more than {most} workers died within {within:?}"));
        }
    }
}
