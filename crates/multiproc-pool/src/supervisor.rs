//! The thread that runs a pool: hands out tasks, takes answers, notices deaths, replaces workers.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use multiproc_image::{StartError, threads};
use multiproc_sys::poll;
use rustix::event::{EventfdFlags, eventfd};

use crate::{
    error::describe,
    scheduler::{Done, Event, Phase, Scheduler},
    worker::{Worker, Workers},
};

/// How long a worker that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_millis(200);

/// What the supervisor and the threads that use the pool have in common.
pub(crate) struct Shared<K: Workers> {
    scheduler: Mutex<Scheduler<K::Worker>>,
    /// Rung when a task is done, the phase changes, or a worker is wanted that only a caller may start.
    changed: Condvar,
    /// Wakes the supervisor.
    wake: OwnedFd,
    workers: K,
}

impl<K: Workers> Shared<K> {
    /// Starts `size` workers and the supervisor.
    pub(crate) fn start(
        workers: K,
        size: usize,
        retries: u32,
    ) -> Result<Started<K>, crate::PoolError> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|err| {
            StartError::Os { what: "make an event descriptor", source: err.into() }
        })?;
        let scheduler = Mutex::new(Scheduler::new(size, retries));
        let shared = Arc::new(Self { scheduler, changed: Condvar::new(), wake, workers });
        while shared.lock().wants_worker() {
            match shared.workers.start() {
                Ok(worker) => shared.lock().started(Arc::new(worker)),
                Err(err) => {
                    shared.lock().not_started("it was never whole", false);
                    shared.lock().terminate();
                    shared.end_workers();
                    return Err(err.into());
                }
            }
        }
        let supervisor = shared.clone();
        let thread = threads::spawn("multiproc-pool", move || supervisor.supervise());
        match thread {
            Ok(thread) => Ok((shared, thread)),
            Err(err) => {
                shared.lock().terminate();
                shared.end_workers();
                Err(crate::PoolError::Supervisor(err))
            }
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Scheduler<K::Worker>> {
        // A panic in a scheduler is a fault of ours; its state is still the best there is.
        self.scheduler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the supervisor look at what has changed.
    pub(crate) fn wake(&self) {
        // It cannot fail but by overflow, and then the supervisor has long been woken.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Waits until a task of `job` is done.
    ///
    /// A caller that waits also takes apart what has to be, and starts the workers that only a caller may start: a copy of
    /// the supervisor would be one without the threads whose locks it has copied.
    pub(crate) fn wait_done(&self, job: u64) -> Done {
        let mut scheduler = self.lock();
        loop {
            scheduler = match scheduler.take_event(job) {
                Some(Event::Done(done)) => return done,
                Some(Event::Split(task)) => {
                    let split = scheduler.splitter(job);
                    drop(scheduler);
                    // A panic of the user's code must not lose the task.
                    let parts = catch_unwind(AssertUnwindSafe(|| split?(&task.input)));
                    self.lock().requeue(task, parts.unwrap_or(None));
                    // Others may wait for just this to be over.
                    self.changed.notify_all();
                    self.wake();
                    self.lock()
                }
                None => self.help_or_wait(scheduler),
            };
        }
    }

    /// Waits until all is over.
    pub(crate) fn wait_over(&self) {
        let mut scheduler = self.lock();
        while !scheduler.is_over() {
            scheduler = self.help_or_wait(scheduler);
        }
    }

    fn help_or_wait<'a>(&'a self, mut scheduler: Guard<'a, K>) -> Guard<'a, K> {
        if self.workers.copies_the_caller() && scheduler.wants_worker() {
            drop(scheduler);
            self.start_worker();
            return self.lock();
        }
        let next = scheduler.next_attempt().filter(|_| self.workers.copies_the_caller());
        match next {
            Some(moment) => {
                let pause = moment.saturating_duration_since(Instant::now());
                let waited = self.changed.wait_timeout(scheduler, pause);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait(scheduler).unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn start_worker(&self) {
        let started = self.workers.start();
        let mut scheduler = self.lock();
        match started {
            Ok(worker) => {
                scheduler.started(Arc::new(worker));
                if matches!(scheduler.phase(), Phase::Terminated | Phase::Broken(_)) {
                    // Too late: the supervisor may be gone.
                    drop(scheduler);
                    self.end_workers();
                }
            }
            Err(err) => scheduler.not_started(&describe(&err), err.is_exhausted()),
        }
        self.changed.notify_all();
        self.wake();
    }

    fn supervise(&self) {
        let _last = LastWords(self);
        loop {
            self.replace_workers();
            let mut scheduler = self.lock();
            scheduler.assign();
            let workers: Vec<_> = scheduler.workers().cloned().collect();
            let is_over = scheduler.is_over();
            let is_ending = matches!(scheduler.phase(), Phase::Terminated | Phase::Broken(_));
            drop(scheduler);
            // Whoever waits may have been answered above, or may have to start a worker.
            self.changed.notify_all();
            if is_over {
                return;
            }
            if is_ending {
                self.end_workers();
                return;
            }
            if let Err(err) = self.watch(&workers) {
                self.lock().break_down(&format!("its supervisor cannot wait: {err}"));
            }
        }
    }

    fn replace_workers(&self) {
        if self.workers.copies_the_caller() {
            return;
        }
        while self.lock().wants_worker() {
            self.start_worker();
        }
    }

    /// Waits until something happens, and takes it down.
    fn watch(&self, workers: &[Arc<K::Worker>]) -> io::Result<()> {
        let mut fds: Vec<BorrowedFd<'_>> = vec![self.wake.as_fd()];
        for worker in workers {
            fds.extend([worker.answers(), worker.sentinel()]);
        }
        let deadline = self.lock().next_attempt().filter(|_| !self.workers.copies_the_caller());
        let ready = poll::wait_many(&fds, deadline)?;
        let mut scheduler = self.lock();
        for index in ready {
            let Some(at) = index.checked_sub(1) else {
                let _ = rustix::io::read(&self.wake, &mut [0; 8]);
                continue;
            };
            let worker = &workers[at / 2];
            let is_gone = at % 2 == 0 && scheduler.hear(worker);
            if let Some(death) = worker.death() {
                scheduler.bury(worker, death);
            } else if is_gone {
                // It lives, but has closed its end or become another program: no use to us.
                worker.kill();
            }
        }
        Ok(())
    }

    /// Ends all workers, whatever they do, and waits for them.
    fn end_workers(&self) {
        let workers: Vec<_> = self.lock().workers().cloned().collect();
        for worker in &workers {
            worker.terminate();
        }
        let deadline = Instant::now().checked_add(GRACE);
        for worker in &workers {
            if !matches!(poll::wait_readable(worker.sentinel(), deadline), Ok(true)) {
                worker.kill();
            }
        }
        for worker in &workers {
            let death = loop {
                let _ = poll::wait_readable(worker.sentinel(), None);
                match worker.death() {
                    Some(death) => break death,
                    None => std::thread::yield_now(),
                }
            };
            self.lock().bury(worker, death);
        }
        self.changed.notify_all();
    }
}

/// Sees to it that nobody waits for a supervisor that has panicked, which would be a fault of ours.
struct LastWords<'a, K: Workers>(&'a Shared<K>);

impl<K: Workers> Drop for LastWords<'_, K> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().break_down("its supervisor panicked");
            self.0.end_workers();
        }
    }
}

type Guard<'a, K> = MutexGuard<'a, Scheduler<<K as Workers>::Worker>>;

type Started<K> = (Arc<Shared<K>>, JoinHandle<()>);
