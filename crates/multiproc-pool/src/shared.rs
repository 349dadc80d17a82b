//! What the threads that use a pool have in common, and who of them keeps it going.
//!
//! One thread at a time *drives*: it waits for whatever happens to the workers and has the scheduler take it down. A
//! caller that waits for a result drives if nobody else does, so its result needs no other thread. Further callers
//! follow: they sleep until something has changed. The supervisor drives when callers have left something to be done,
//! and, a while after the last one has left, for good, so that deaths are noticed in a pool that nobody uses.

use std::{
    ptr,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use multiproc_image::{StartError, after_fork::generation};

use crate::{
    PoolError, TaskError, current,
    error::describe,
    job::{Job, Task},
    later::Locked,
    lookout::Lookout,
    reactor::Reactor,
    scheduler::{Phase, Scheduler, Settings},
    stats::PoolStats,
    supervisor::wait_for_death,
    worker::{Worker, Workers},
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
    pub(crate) lookout: Lookout,
}

/// Who drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    Nobody,
    Caller,
    Supervisor,
}

pub(crate) type Guard<'a, K> = Locked<'a, <K as Workers>::Worker>;

/// What a pool can do for those who wait for jobs, whatever its workers are.
pub(crate) trait Hub: Send + Sync {
    fn is_here(&self) -> bool;
    fn check_open(&self) -> Result<(), TaskError>;
    /// Takes tasks; returns how many are queued.
    fn submit(&self, tasks: Vec<Task>) -> Result<usize, TaskError>;
    /// How many tasks are queued.
    fn queued(&self) -> usize;
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
    /// True on a thread that is a worker of this pool.
    fn is_inside(&self) -> bool;
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
        Locked::new(&self.state)
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
            state = state.wait(&self.changed, deadline.into_iter().chain(attempt).min());
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
        let mut state = self.look(state, deadline);
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

    /// Starts the workers that are missing.
    fn fill_up<'a>(&'a self, mut state: Guard<'a, K>) -> Guard<'a, K> {
        while state.scheduler.wants_worker() {
            drop(state);
            let _ = self.start_worker();
            state = self.lock();
        }
        state
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

    fn submit(&self, tasks: Vec<Task>) -> Result<usize, TaskError> {
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
        Ok(state.scheduler.queued())
    }

    fn queued(&self) -> usize {
        if self.is_here() { self.lock().scheduler.queued() } else { 0 }
    }

    fn attend(&self) {
        if !self.is_here() {
            return;
        }
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
            // Whoever drives may be waiting for it.
            self.reactor.wake();
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
            if state.driver == Driver::Nobody && state.scheduler.ending().is_some() {
                // Who closes a pool is about to join it. If not, the supervisor sees the workers end, in its time.
                return;
            }
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

    fn is_inside(&self) -> bool {
        current::board().is_some_and(|board| {
            self.lock().scheduler.workers().any(|(_, worker)| ptr::eq(worker.board(), &*board))
        })
    }
}
