//! Workers that are told what to do, and a pool of them.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Mutex,
};

use super::super::*;
use crate::{
    calls::Calls,
    job::Local,
    worker::{Claims, Death, Given, How, Order},
};
use multiproc_sys::board::Board;

/// A worker that does what the test says.
pub(super) struct Puppet {
    /// The numbers of the calls that it was given, and the place of each.
    pub(super) given: Mutex<Vec<(u64, usize)>>,
    answers: Mutex<VecDeque<Answer>>,
    pub(super) orders: Mutex<usize>,
    pub(super) is_stopped: Mutex<bool>,
    pub(super) is_killed: Mutex<bool>,
    /// The numbers of the calls that it could still begin when it was killed.
    pub(super) begun_late: Mutex<Vec<u64>>,
    /// The number of the first call that it has not begun.
    next: Mutex<u64>,
    pub(super) mood: Mutex<Mood>,
    board: Board,
    fd: OwnedFd,
}

#[derive(Clone, Copy)]
pub(super) enum Mood {
    Willing,
    Refusing,
    Gone,
    Full,
}

pub(super) fn puppet(mood: Mood) -> Arc<Puppet> {
    let (board, _) = Board::new().unwrap();
    let fd = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
    Arc::new(Puppet {
        given: Mutex::default(),
        answers: Mutex::default(),
        orders: Mutex::default(),
        is_stopped: Mutex::default(),
        is_killed: Mutex::default(),
        begun_late: Mutex::default(),
        next: Mutex::default(),
        mood: Mutex::new(mood),
        board,
        fd,
    })
}

impl Worker for Puppet {
    fn give(&self, orders: &[Order<'_>]) -> Given {
        match *self.mood.lock().unwrap() {
            Mood::Gone => return Given::Gone,
            Mood::Full => return Given::Full,
            Mood::Refusing => return Given::Refused("no descriptor left".into()),
            Mood::Willing => {}
        }
        *self.orders.lock().unwrap() += 1;
        for order in orders {
            let calls =
                (0..order.task.count).map(|at| (order.seq + at as u64, order.task.start + at));
            self.given.lock().unwrap().extend(calls);
        }
        Given::Taken
    }

    fn stop(&self) -> Given {
        if matches!(*self.mood.lock().unwrap(), Mood::Full) {
            return Given::Full;
        }
        *self.is_stopped.lock().unwrap() = true;
        Given::Taken
    }

    fn take(&self) -> Answer {
        self.answers.lock().unwrap().pop_front().unwrap_or(Answer::None)
    }

    fn has_answers(&self) -> bool {
        !self.answers.lock().unwrap().is_empty()
    }

    fn call(&self, _: u64) {}

    fn call_not(&self) {}

    fn rings_the_common_bell(&self) -> bool {
        false
    }

    fn board(&self) -> &Board {
        &self.board
    }

    fn answers(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn sentinel(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn death(&self) -> Option<Death> {
        None
    }

    fn terminate(&self) {}

    fn kill(&self) {
        *self.is_killed.lock().unwrap() = true;
        let given = self.given.lock().unwrap();
        let late = given.iter().map(|(seq, _)| *seq).filter(|seq| self.begin(*seq));
        self.begun_late.lock().unwrap().extend(late);
    }

    fn identity(&self) -> (&str, u32) {
        ("Puppet", 1)
    }
}

impl Puppet {
    /// Begins the call with this number; false if it was taken back, or is not the next one of a worker that goes in order.
    pub(super) fn begin(&self, seq: u64) -> bool {
        let mut next = self.next.lock().unwrap();
        let how = How { is_timed: true, ..How::default() };
        let begins = *next <= seq && Claims::new(&self.board, seq, 1, how).claim();
        if begins {
            *next = seq + 1;
        }
        begins
    }

    pub(super) fn say(&self, answer: Answer) {
        self.answers.lock().unwrap().push_back(answer);
    }

    pub(super) fn answer(&self, count: usize) {
        let outcome = Outcome::Local(Box::new(()) as Local);
        self.say(Answer::Results { count, outcome });
    }

    /// The places of the calls that it was given.
    pub(super) fn places(&self) -> Vec<usize> {
        self.given.lock().unwrap().iter().map(|(_, place)| *place).collect()
    }
}

pub(super) const KILLED: Death = Death { signal: Some(9), exitcode: None, oom: false };
pub(super) const LEFT: Death = Death { signal: None, exitcode: Some(0), oom: false };

/// A pool of puppets, and a job.
pub(super) struct Play {
    pub(super) scheduler: Scheduler<Puppet>,
    pub(super) workers: Vec<(WorkerId, Arc<Puppet>)>,
    pub(super) job: Arc<Job>,
}

pub(super) fn settings(size: usize, retries: u32) -> Settings {
    Settings {
        size,
        retries,
        task_timeout: None,
        max_tasks: None,
        idle_timeout: None,
        restarts: None,
    }
}

impl Play {
    pub(super) fn new(size: usize, retries: u32) -> Self {
        Self::with(settings(size, retries))
    }

    pub(super) fn with(settings: Settings) -> Self {
        let size = settings.size;
        let calls = Calls::<(u8,), u8, _>::wire(|x: u8| x).unwrap();
        let job = Job::new(calls.program);
        let mut play = Self { scheduler: Scheduler::new(settings, true), workers: vec![], job };
        (0..size).for_each(|_| play.add(Mood::Willing));
        play
    }

    /// Starts a worker, which is at once ready.
    pub(super) fn add(&mut self, mood: Mood) {
        self.scheduler.not_before = None;
        assert!(self.scheduler.wants_worker());
        let worker = puppet(mood);
        worker.say(Answer::Ready);
        let id = self.scheduler.started(worker.clone());
        self.scheduler.hear(id);
        self.workers.push((id, worker));
    }

    /// Submits tasks of so many calls each.
    pub(super) fn submit(&mut self, counts: &[usize]) {
        let calls = Calls::<(u8,), u8, _>::wire(|x: u8| x).unwrap();
        let mut packer = calls.packer(self.job.clone(), usize::MAX);
        let mut tasks = Vec::new();
        for count in counts {
            (0..*count).for_each(|x| assert!(!packer.push((x as u8,))));
            tasks.extend(packer.end());
        }
        self.scheduler.submit(tasks).unwrap();
    }

    pub(super) fn hear(&mut self, at: usize) {
        assert!(!self.scheduler.hear(self.workers[at].0));
        self.scheduler.assign();
    }

    /// What is done: the place of the first call, how many, and whether well.
    pub(super) fn done(&self) -> Vec<(usize, usize, bool)> {
        let done = self.job.take_all();
        done.iter()
            .map(|done| (done.start, done.count, !matches!(done.outcome, Outcome::Failed(_))))
            .collect()
    }

    pub(super) fn worker(&self, at: usize) -> Arc<Puppet> {
        self.workers[at].1.clone()
    }

    pub(super) fn bury(&mut self, at: usize, death: Death) {
        self.scheduler.bury(self.workers[at].0, death);
    }
}
