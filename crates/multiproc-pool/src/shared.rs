//! What the threads that use a pool have in common, and who of them keeps it going.
//!
//! One thread at a time *drives*: it waits for whatever happens to the workers and has the scheduler take it down. A
//! caller that waits for a result drives if nobody else does, so its result needs no other thread. Further callers
//! follow: they sleep until something has changed. The supervisor drives when callers have left something to be done,
//! and, a while after the last one has left, for good, so that deaths are noticed in a pool that nobody uses.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use multiproc_image::{StartError, after_fork::generation};
use multiproc_process::process_cpu_count;
use multiproc_sys::primitive::{Ordering::SeqCst, fence};

use crate::{
    PoolError, TaskError,
    error::describe,
    job::{Job, Task},
    reactor::{Event, Reactor},
    scheduler::{Phase, Scheduler, Settings},
    stats::PoolStats,
    supervisor::wait_for_death,
    worker::{Spin, Worker, Workers},
};

/// What the threads that use a pool have in common.
pub(crate) struct Shared<K: Workers> {
    state: Mutex<State<K::Worker>>,
    /// Told to followers: something is done, or somebody has to drive.
    pub(crate) changed: Condvar,
    /// Told to the supervisor: it has to drive.
    pub(crate) relief: Condvar,
    pub(crate) reactor: Reactor,
    workers: K,
    /// The generation of the process that made it; in a forked child of that, it is only a memory, whose lock may be held for ever.
    maker: u32,
}

/// What is under the lock.
pub(crate) struct State<W> {
    pub(crate) scheduler: Scheduler<W>,
    pub(crate) driver: Driver,
    /// True if the supervisor drives, though a caller would.
    pub(crate) is_contended: bool,
    pub(crate) followers: usize,
    /// How often callers have driven.
    pub(crate) drives: u64,
    /// True if the supervisor is to drive at once.
    pub(crate) is_urgent: bool,
    /// True if callers have left something to be done, and may come back for it at any moment.
    pub(crate) is_left: bool,
    /// True while the supervisor sees to it that they do.
    pub(crate) is_watched: bool,
    lookout: Lookout,
}

/// How the driver waits.
struct Lookout {
    /// How often it has looked.
    turns: u32,
    spin: Spin,
    /// How many cores there are to be used.
    cores: usize,
    /// How many results of a worker it sleeps over. More than one only while results come so fast that each would wake
    /// it; then it sleeps for a short time only.
    stride: u64,
}

/// After so many looks the kernel is asked.
const TURNS: u32 = 64;
/// How long a result may wait where many come fast.
const HOLD_UP: Duration = Duration::from_micros(500);
/// Results come fast if so many come within this time.
const FAST: Duration = Duration::from_micros(100);
const MOST: u64 = 512;

impl Lookout {
    fn new() -> Self {
        Self { turns: 0, spin: Spin::default(), cores: process_cpu_count(), stride: 1 }
    }

    /// Learns from a sleep that has taken so long.
    fn learn(&mut self, is_heard: bool, took: Duration) {
        self.stride = match is_heard {
            true if took < FAST => MOST.min(self.stride * 2),
            _ if took < HOLD_UP => self.stride,
            _ => (self.stride / 4).max(1),
        };
    }
}

/// Who drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    Nobody,
    Caller,
    Supervisor,
}

pub(crate) type Guard<'a, K> = MutexGuard<'a, State<<K as Workers>::Worker>>;

/// What a pool can do for those who wait for jobs, whatever its workers are.
pub(crate) trait Hub: Send + Sync {
    fn is_here(&self) -> bool;
    fn check_open(&self) -> Result<(), TaskError>;
    fn submit(&self, tasks: Vec<Task>) -> Result<(), TaskError>;
    /// Sees to it that what was submitted is done though nobody waits for it.
    fn attend(&self);
    /// Waits until there is something to take of a job; false if `deadline` passes first.
    fn wait_some(&self, job: &Job, deadline: Option<Instant>) -> bool;
    /// Waits until all of a job is done; false if `deadline` passes first.
    fn wait_all(&self, job: &Job, deadline: Option<Instant>) -> bool;
    fn cancel(&self, job: &Arc<Job>);
    fn withdraw(&self, job: &Arc<Job>);
    fn close(&self);
    fn terminate(&self, err: &TaskError);
    fn wait_over(&self);
    fn resize(&self, size: usize);
    fn size(&self) -> usize;
    fn lost(&self) -> u64;
    fn phase(&self) -> Phase;
    fn stats(&self) -> PoolStats;
    fn supervise(&self);
    /// Starts workers that only a caller may start; false if the pool is only a memory.
    fn help(&self) -> bool;
}

impl<K: Workers> Shared<K> {
    /// Starts the workers.
    pub(crate) fn start(workers: K, settings: Settings) -> Result<Arc<Self>, PoolError> {
        let reactor = Reactor::new().map_err(StartError::os("make an event descriptor"))?;
        let state = State {
            scheduler: Scheduler::new(settings, K::ARE_PROCESSES),
            driver: Driver::Nobody,
            is_contended: false,
            followers: 0,
            drives: 0,
            is_urgent: false,
            is_left: false,
            is_watched: false,
            lookout: Lookout::new(),
        };
        let shared = Arc::new(Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            relief: Condvar::new(),
            reactor,
            workers,
            maker: generation(),
        });
        while shared.lock().scheduler.wants_worker() {
            if let Err(err) = shared.start_worker() {
                shared.lock().scheduler.terminate(&TaskError::NotRunning);
                shared.end_workers();
                return Err(err.into());
            }
        }
        Ok(shared)
    }

    pub(crate) fn lock(&self) -> Guard<'_, K> {
        // A panic in a scheduler is a fault of ours; its state is still the best there is.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `is_done`; false if `deadline` passes first.
    ///
    /// A caller that waits also starts the workers that only a caller may start: a copy of the supervisor would be one
    /// without the threads whose locks it has copied.
    fn wait(
        &self,
        deadline: Option<Instant>,
        mut is_done: impl FnMut(&Scheduler<K::Worker>) -> bool,
    ) -> bool {
        let mut state = self.lock();
        let mut has_driven = false;
        let result = loop {
            if is_done(&state.scheduler) {
                break true;
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                break false;
            }
            if self.workers.copies_the_caller() && state.scheduler.wants_worker() {
                drop(state);
                let _ = self.start_worker();
                state = self.lock();
                continue;
            }
            if state.driver == Driver::Nobody {
                state.driver = Driver::Caller;
                state.is_contended = false;
                has_driven = true;
                state = self.drive(state, deadline);
                state.driver = Driver::Nobody;
                continue;
            }
            if state.driver == Driver::Supervisor && !state.is_contended {
                state.is_contended = true;
                self.reactor.wake();
            }
            state.followers += 1;
            let attempt = state.scheduler.next_attempt();
            state = follow(&self.changed, state, deadline.into_iter().chain(attempt).min());
            state.followers -= 1;
        };
        if has_driven {
            state.drives += 1;
        }
        self.hand_over(state);
        result
    }

    /// Sees to it that somebody drives.
    fn hand_over(&self, mut state: Guard<'_, K>) {
        if state.driver != Driver::Nobody {
            return;
        }
        if state.followers > 0 {
            self.changed.notify_all();
        } else if !state.scheduler.is_quiet() || state.scheduler.is_over() {
            state.is_left = true;
            if !state.is_watched {
                self.relief.notify_one();
            }
        }
    }

    /// Waits until something happens, and takes it down.
    pub(crate) fn drive<'a>(
        &'a self,
        state: Guard<'a, K>,
        deadline: Option<Instant>,
    ) -> Guard<'a, K> {
        let state = self.look(state, deadline);
        if state.followers > 0 {
            self.changed.notify_all();
        }
        if !state.scheduler.is_short() {
            return state;
        }
        if self.workers.copies_the_caller() {
            state.scheduler.nudge();
            return state;
        }
        self.fill_up(state)
    }

    /// Takes down what has happened; if nothing has, waits until something does. Answers are looked for first, without
    /// asking the kernel, then for a short while again and again, then it sleeps.
    fn look<'a>(&'a self, mut state: Guard<'a, K>, deadline: Option<Instant>) -> Guard<'a, K> {
        let due = state.scheduler.tick();
        let attempt = state.scheduler.next_attempt();
        let deadline = [deadline, due, attempt].into_iter().flatten().min();
        // Now and then it is the kernel's turn, however many answers there are.
        state.lookout.turns += 1;
        if !state.lookout.turns.is_multiple_of(TURNS) {
            if self.hear_all(&mut state) {
                return state;
            }
            let busy: Vec<_> = state.scheduler.busy().cloned().collect();
            if state.driver == Driver::Caller
                && !busy.is_empty()
                && busy.len() < state.lookout.cores
            {
                let mut spin = std::mem::take(&mut state.lookout.spin);
                drop(state);
                let is_due = spin.until(|| busy.iter().any(|worker| worker.has_answers()));
                state = self.lock();
                state.lookout.spin = spin;
                if is_due && self.hear_all(&mut state) {
                    return state;
                }
            }
        }
        let stride = state.lookout.stride;
        for (_, worker) in state.scheduler.workers() {
            worker.call(stride);
        }
        fence(SeqCst);
        let is_due = state.scheduler.workers().any(|(_, worker)| worker.has_answers());
        let now = Instant::now();
        let deadline = match stride {
            _ if is_due => Some(now),
            1 => deadline,
            _ => Some(deadline.map_or(now + HOLD_UP, |deadline| deadline.min(now + HOLD_UP))),
        };
        drop(state);
        let events = self.reactor.wait(deadline);
        let mut state = self.lock();
        for (_, worker) in state.scheduler.workers() {
            worker.call_not();
        }
        let is_heard = self.hear_all(&mut state);
        state.lookout.learn(is_heard && !is_due, now.elapsed());
        match events {
            Ok(events) => self.take_down(&mut state, events),
            Err(err) => {
                state.scheduler.break_down(&format!("its events cannot be waited for: {err}"))
            }
        }
        state
    }

    /// Takes down what workers have answered; false if none has.
    fn hear_all(&self, state: &mut State<K::Worker>) -> bool {
        let mut is_heard = false;
        let due: Vec<_> = state
            .scheduler
            .workers()
            .filter(|(_, worker)| worker.has_answers())
            .map(|(id, worker)| (id, worker.clone()))
            .collect();
        for (id, worker) in due {
            is_heard = true;
            if state.scheduler.hear(id) {
                self.give_up(&*worker);
            }
        }
        if is_heard {
            state.scheduler.assign();
        }
        is_heard
    }

    /// Ends a worker that says nothing sensible any more.
    fn give_up(&self, worker: &K::Worker) {
        self.reactor.mute(worker.answers());
        // If it lives, it has closed its end or become another program: no use to us.
        if worker.death().is_none() {
            worker.kill();
        }
    }

    /// Starts the workers that are missing.
    fn fill_up<'a>(&'a self, mut state: Guard<'a, K>) -> Guard<'a, K> {
        while state.scheduler.wants_worker() {
            drop(state);
            let _ = self.start_worker();
            state = self.lock();
        }
        state
    }

    fn take_down(&self, state: &mut State<K::Worker>, events: Vec<Event>) {
        let scheduler = &mut state.scheduler;
        let had_events = !events.is_empty();
        for event in events {
            match event {
                Event::Answers(id) => {
                    let Some(worker) = scheduler.worker(id).cloned() else { continue };
                    if scheduler.hear(id) || worker.rings_the_common_bell() {
                        self.give_up(&*worker);
                    }
                }
                Event::End(id) => {
                    let Some(worker) = scheduler.worker(id).cloned() else { continue };
                    if let Some(death) = worker.death() {
                        self.reactor.remove(worker.answers(), worker.sentinel());
                        scheduler.bury(id, death);
                    }
                }
            }
        }
        if had_events {
            scheduler.assign();
        }
    }

    fn start_worker(&self) -> Result<(), StartError> {
        let started = self.workers.start(self.reactor.common_bell());
        let mut state = self.lock();
        let result = match started {
            Ok(worker) => {
                let worker = Arc::new(worker);
                let id = state.scheduler.started(worker.clone());
                if let Err(err) = self.reactor.add(id, &*worker) {
                    worker.kill();
                    let death = wait_for_death(&*worker);
                    state.scheduler.bury(id, death);
                    Err(StartError::os("watch a worker")(err))
                } else {
                    if matches!(state.scheduler.phase(), Phase::Terminated | Phase::Broken(_)) {
                        // Too late: the supervisor may be gone.
                        drop(state);
                        self.end_workers();
                    }
                    Ok(())
                }
            }
            Err(err) => {
                state.scheduler.not_started(&describe(&err), err.is_exhausted());
                Err(err)
            }
        };
        self.changed.notify_all();
        result
    }
}

/// Waits until something has changed.
pub(crate) fn follow<'a, T>(
    changed: &Condvar,
    state: MutexGuard<'a, T>,
    deadline: Option<Instant>,
) -> MutexGuard<'a, T> {
    match deadline {
        Some(deadline) => {
            let pause = deadline.saturating_duration_since(Instant::now());
            changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0
        }
        None => changed.wait(state).unwrap_or_else(PoisonError::into_inner),
    }
}

impl<K: Workers> Hub for Shared<K> {
    fn is_here(&self) -> bool {
        self.maker == generation()
    }

    fn check_open(&self) -> Result<(), TaskError> {
        if self.is_here() { self.lock().scheduler.check_open() } else { Err(TaskError::NotRunning) }
    }

    fn submit(&self, tasks: Vec<Task>) -> Result<(), TaskError> {
        if !self.is_here() {
            return Err(TaskError::NotRunning);
        }
        let mut state = self.lock();
        state.scheduler.submit(tasks)?;
        let is_timed = state.scheduler.is_timed();
        let state = self.fill_up(state);
        if is_timed && state.driver != Driver::Nobody {
            // There is a deadline that the driver does not know.
            self.reactor.wake();
        }
        Ok(())
    }

    fn attend(&self) {
        let mut state = self.lock();
        if state.driver == Driver::Nobody {
            state.is_urgent = true;
            self.relief.notify_one();
        }
    }

    fn wait_some(&self, job: &Job, deadline: Option<Instant>) -> bool {
        job.has_some() || (self.is_here() && self.wait(deadline, |_| job.has_some()))
    }

    fn wait_all(&self, job: &Job, deadline: Option<Instant>) -> bool {
        job.is_complete() || (self.is_here() && self.wait(deadline, |_| job.is_complete()))
    }

    fn cancel(&self, job: &Arc<Job>) {
        if self.is_here() {
            self.lock().scheduler.cancel(job);
            self.changed.notify_all();
        }
    }

    fn withdraw(&self, job: &Arc<Job>) {
        if self.is_here() && !job.is_complete() {
            job.forget();
            self.lock().scheduler.withdraw(job);
        }
    }

    fn close(&self) {
        if self.is_here() {
            let mut state = self.lock();
            state.scheduler.close();
            // Workers will end, and somebody has to see it.
            state.is_urgent = true;
            self.relief.notify_one();
            drop(state);
            self.reactor.wake();
        }
    }

    fn terminate(&self, err: &TaskError) {
        if self.is_here() {
            let mut state = self.lock();
            state.scheduler.terminate(err);
            state.is_urgent = true;
            self.relief.notify_one();
            drop(state);
            self.changed.notify_all();
            self.reactor.wake();
        }
    }

    fn wait_over(&self) {
        if self.is_here() {
            self.wait(None, |scheduler| {
                scheduler.is_over()
                    || matches!(scheduler.phase(), Phase::Terminated | Phase::Broken(_))
            });
        }
    }

    fn resize(&self, size: usize) {
        if self.is_here() {
            let mut state = self.lock();
            state.scheduler.resize(size);
            drop(self.fill_up(state));
            self.reactor.wake();
        }
    }

    fn help(&self) -> bool {
        if self.is_here() && self.workers.copies_the_caller() {
            drop(self.fill_up(self.lock()));
        }
        self.is_here()
    }

    fn size(&self) -> usize {
        if self.is_here() { self.lock().scheduler.size() } else { 0 }
    }

    fn lost(&self) -> u64 {
        if self.is_here() { self.lock().scheduler.lost() } else { 0 }
    }

    fn phase(&self) -> Phase {
        if self.is_here() { self.lock().scheduler.phase().clone() } else { Phase::Terminated }
    }

    fn stats(&self) -> PoolStats {
        if !self.is_here() {
            return PoolStats::default();
        }
        let mut stats = self.lock().scheduler.stats();
        stats.weigh();
        stats
    }

    fn supervise(&self) {
        self.run();
    }
}
