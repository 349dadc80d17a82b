//! How the driver of a pool waits: it looks for answers, looks again for a short while, then sleeps.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use multiproc_process::process_cpu_count;
use multiproc_sys::primitive::{Ordering::SeqCst, fence};

use crate::{
    reactor::{self, Event},
    shared::{Driver, Guard, Shared, State},
    worker::{Spin, Worker, Workers},
};

/// How the driver waits.
pub(crate) struct Lookout {
    /// How often it has looked.
    turns: u32,
    spin: Spin,
    /// How many cores there are to be used.
    cores: usize,
    /// How many results of a worker it sleeps over. More than one only while results come so fast that each would wake
    /// it; then it sleeps for a short time only.
    stride: u64,
    /// True once one that was asked to end has taken its time.
    is_impatient: bool,
}

/// How long workers that were asked to end are waited for one after the other, and not for whichever is first.
const PATIENCE: Duration = Duration::from_millis(20);
/// After so many looks the kernel is asked.
const TURNS: u32 = 64;
/// How long a result may wait where many come fast.
const HOLD_UP: Duration = Duration::from_micros(500);
/// Results come fast if so many come within this time.
const FAST: Duration = Duration::from_micros(100);
const MOST: u64 = 1 << 14;

impl Lookout {
    pub(crate) fn new() -> Self {
        let (spin, cores) = (Spin::default(), cores());
        Self { turns: 0, spin, cores, stride: 1, is_impatient: false }
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

/// The number of cores to be used: those that this process may run on now, and no more than when that was first asked,
/// for to look up its quota takes longer than to start a process.
fn cores() -> usize {
    static FIRST: OnceLock<usize> = OnceLock::new();
    let first = *FIRST.get_or_init(process_cpu_count);
    rustix::thread::sched_getaffinity(None).map_or(first, |now| first.min(now.count() as usize))
}

impl<K: Workers> Shared<K> {
    /// Takes down what has happened; if nothing has, waits until something does. Answers are looked for first, without
    /// asking the kernel, then for a short while again and again, then it sleeps.
    pub(crate) fn look<'a>(
        &'a self,
        mut state: Guard<'a, K>,
        deadline: Option<Instant>,
    ) -> Guard<'a, K> {
        // What is answered cannot be overdue, however long nobody has looked.
        let is_heard = state.scheduler.is_timed() && self.hear_all(&mut state);
        let due = state.scheduler.tick();
        if is_heard {
            return state;
        }
        let attempt = state.scheduler.next_attempt();
        let deadline = [deadline, due, attempt].into_iter().flatten().min();
        if !state.lookout.is_impatient
            && let Some(worker) = state.scheduler.ending().cloned()
        {
            return self.look_for_ends(state, &worker, deadline);
        }
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
        for (load, worker) in state.scheduler.loads() {
            // While it does the second half of what it has, it can be given more.
            worker.call(stride.min(load / 2).max(1));
        }
        fence(SeqCst);
        // Whoever makes room or answers from here on rings.
        let is_due = state.scheduler.assign_again()
            || state.scheduler.workers().any(|(_, worker)| worker.has_answers());
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

    /// Waits for this worker to end, then takes down which have: while one is waited for, others end, too, so that fewer
    /// wake-ups are needed than there are workers.
    fn look_for_ends<'a>(
        &'a self,
        state: Guard<'a, K>,
        worker: &K::Worker,
        deadline: Option<Instant>,
    ) -> Guard<'a, K> {
        drop(state);
        let patience = reactor::after(PATIENCE);
        let ended = self
            .reactor
            .wait_for_end(worker.sentinel(), deadline.into_iter().chain(patience).min());
        let mut state = self.lock();
        state.lookout.is_impatient = match ended {
            Ok(true) => false,
            Ok(false) => patience.is_none_or(|moment| moment <= Instant::now()),
            // Where even two may not be polled; the kernel has the list of all of them.
            Err(_) => true,
        };
        let ids = state.scheduler.workers().map(|(id, _)| Event::End(id)).collect();
        self.take_down(&mut state, ids);
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
        } else {
            // A ring without an answer: there may be room.
            scheduler.assign_again();
        }
    }
}
