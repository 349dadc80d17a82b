//! The thread of a pool's own: it drives when nobody else does, and reaps the workers at the end.

use std::time::{Duration, Instant};

use multiproc_sys::poll;

use crate::{
    scheduler::Phase,
    shared::{Driver, Shared},
    worker::{Death, Worker, Workers},
};

/// How long a worker that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_millis(200);
/// How long callers may be away from what they have left to be done.
const WATCH: Duration = Duration::from_millis(1);
/// How long after the last caller the supervisor begins to drive, if nothing is left to be done.
const LINGER: Duration = Duration::from_millis(20);

impl<K: Workers> Shared<K> {
    /// What the supervisor does until all is over.
    pub(crate) fn run(&self) {
        let _last = LastWords(self);
        let mut state = self.lock();
        // As if a caller had just been here: who makes a pool is about to use it.
        let mut drives = state.drives.wrapping_sub(1);
        loop {
            if matches!(state.scheduler.phase(), Phase::Terminated | Phase::Broken(_)) {
                drop(state);
                self.end_workers();
                return;
            }
            if state.scheduler.is_over() {
                self.changed.notify_all();
                return;
            }
            let must_not = state.driver == Driver::Caller || state.is_contended;
            let need_not = state.drives != drives && !state.is_urgent;
            if must_not || need_not {
                drives = state.drives;
                state.is_watched = state.is_left;
                let pause = if state.is_left { WATCH } else { LINGER };
                let deadline = Instant::now().checked_add(pause);
                state.is_contended &= state.followers > 0;
                state = state.wait(&self.relief, deadline);
                state.is_watched = false;
                continue;
            }
            state.is_urgent = false;
            state.is_left = false;
            state.driver = Driver::Supervisor;
            state = self.drive(state, None);
            state.driver = Driver::Nobody;
            if state.followers > 0 {
                self.changed.notify_all();
            }
        }
    }

    /// Ends all workers, whatever they do, and waits for them.
    pub(crate) fn end_workers(&self) {
        let workers: Vec<_> =
            self.lock().scheduler.workers().map(|(id, worker)| (id, worker.clone())).collect();
        for (_, worker) in &workers {
            worker.terminate();
        }
        let deadline = Instant::now().checked_add(GRACE);
        for (_, worker) in &workers {
            if !matches!(poll::wait_readable(worker.sentinel(), deadline), Ok(true)) {
                worker.kill();
            }
        }
        for (id, worker) in &workers {
            let death = wait_for_death(&**worker);
            self.reactor.remove(worker.answers(), worker.sentinel());
            self.lock().scheduler.bury(*id, death);
        }
        self.changed.notify_all();
    }
}

/// Waits until a worker has ended, and reaps it.
pub(crate) fn wait_for_death(worker: &impl Worker) -> Death {
    loop {
        let _ = poll::wait_readable(worker.sentinel(), None);
        match worker.death() {
            Some(death) => return death,
            None => std::thread::yield_now(),
        }
    }
}

/// Sees to it that nobody waits for a supervisor that has panicked, which would be a fault of ours.
struct LastWords<'a, K: Workers>(&'a Shared<K>);

impl<K: Workers> Drop for LastWords<'_, K> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().scheduler.break_down("its supervisor panicked");
            self.0.end_workers();
        }
    }
}
