//! The scheduler with workers that are told what to do: every order of events can be played.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Mutex,
};

use multiproc_sys::board::Board;
use multiproc_wire::Handle;

use super::*;
use crate::{
    calls::Calls,
    job::Local,
    worker::{Claims, Death, Given, Order},
};

/// A worker that does what the test says.
struct Puppet {
    /// The numbers of the calls that it was given, and the place of each.
    given: Mutex<Vec<(u64, usize)>>,
    answers: Mutex<VecDeque<Answer>>,
    orders: Mutex<usize>,
    is_stopped: Mutex<bool>,
    is_killed: Mutex<bool>,
    mood: Mood,
    board: Board,
    fd: OwnedFd,
}

#[derive(Clone, Copy)]
enum Mood {
    Willing,
    Refusing,
    Gone,
    Full,
}

fn puppet(mood: Mood) -> Arc<Puppet> {
    let (board, _) = Board::new().unwrap();
    let fd = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
    Arc::new(Puppet {
        given: Mutex::default(),
        answers: Mutex::default(),
        orders: Mutex::default(),
        is_stopped: Mutex::default(),
        is_killed: Mutex::default(),
        mood,
        board,
        fd,
    })
}

impl Worker for Puppet {
    fn give(&self, orders: &[Order<'_>]) -> Given {
        match self.mood {
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
        *self.is_stopped.lock().unwrap() = true;
        Given::Taken
    }

    fn take(&self) -> Answer {
        self.answers.lock().unwrap().pop_front().unwrap_or(Answer::None)
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
    }

    fn identity(&self) -> (&str, u32) {
        ("Puppet", 1)
    }
}

impl Puppet {
    /// Begins the call with this number; false if it was taken back.
    fn begin(&self, seq: u64) -> bool {
        Claims::new(&self.board, seq, 1, true).claim()
    }

    fn say(&self, answer: Answer) {
        self.answers.lock().unwrap().push_back(answer);
    }

    fn answer(&self, seq: u64, count: usize) {
        let outcome = Outcome::Local(Box::new(()) as Local);
        self.say(Answer::Results { seq, count, outcome });
    }

    /// The places of the calls that it was given.
    fn places(&self) -> Vec<usize> {
        self.given.lock().unwrap().iter().map(|(_, place)| *place).collect()
    }
}

const KILLED: Death = Death { signal: Some(9), exitcode: None, oom: false };
const LEFT: Death = Death { signal: None, exitcode: Some(0), oom: false };

/// A pool of puppets, and a job.
struct Play {
    scheduler: Scheduler<Puppet>,
    workers: Vec<(WorkerId, Arc<Puppet>)>,
    job: Arc<Job>,
}

fn settings(size: usize, retries: u32) -> Settings {
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
    fn new(size: usize, retries: u32) -> Self {
        Self::with(settings(size, retries))
    }

    fn with(settings: Settings) -> Self {
        let size = settings.size;
        let calls: Calls<(u8,), u8> = Calls::wire(|x: u8| x).unwrap();
        let job = Job::new(calls.program);
        let mut play = Self { scheduler: Scheduler::new(settings, true), workers: vec![], job };
        (0..size).for_each(|_| play.add(Mood::Willing));
        play
    }

    /// Starts a worker, which is at once ready.
    fn add(&mut self, mood: Mood) {
        self.scheduler.not_before = None;
        assert!(self.scheduler.wants_worker());
        let worker = puppet(mood);
        worker.say(Answer::Ready);
        let id = self.scheduler.started(worker.clone());
        self.scheduler.hear(id);
        self.workers.push((id, worker));
    }

    /// Submits tasks of so many calls each.
    fn submit(&mut self, counts: &[usize]) {
        let calls: Calls<(u8,), u8> = Calls::wire(|x: u8| x).unwrap();
        let mut packer = calls.packer(self.job.clone());
        for count in counts {
            (0..*count).for_each(|x| drop(packer.push((x as u8,))));
            packer.end_chunk();
        }
        self.scheduler.submit(packer.take()).unwrap();
    }

    fn hear(&mut self, at: usize) {
        assert!(!self.scheduler.hear(self.workers[at].0));
        self.scheduler.assign();
    }

    /// What is done: the place of the first call, how many, and whether well.
    fn done(&self) -> Vec<(usize, usize, bool)> {
        let done = self.job.take_all();
        done.iter()
            .map(|done| (done.start, done.count, !matches!(done.outcome, Outcome::Failed(_))))
            .collect()
    }

    fn worker(&self, at: usize) -> Arc<Puppet> {
        self.workers[at].1.clone()
    }

    fn bury(&mut self, at: usize, death: Death) {
        self.scheduler.bury(self.workers[at].0, death);
    }
}

#[test]
fn nobody_is_given_two_tasks_while_another_has_none() {
    let mut play = Play::new(2, 0);
    play.submit(&[1, 1]);
    assert_eq!((play.worker(0).places(), play.worker(1).places()), (vec![0], vec![1]));
}

#[test]
fn many_small_tasks_travel_together() {
    let mut play = Play::new(2, 0);
    play.submit(&[1; 200]);
    let orders = *play.worker(0).orders.lock().unwrap();
    assert!(orders <= 2 && play.worker(0).places().len() > 20, "{orders} orders");
}

#[test]
fn idle_worker_gets_half_of_what_another_has_not_begun() {
    let mut play = Play::new(2, 0);
    play.submit(&[1; 10]);
    let (busy, idle) = (play.worker(0), play.worker(1));
    assert!(busy.begin(0));
    // Everything else is done by the other.
    for _ in 0..20 {
        let given: Vec<_> = idle.given.lock().unwrap().drain(..).collect();
        for (seq, _) in given {
            if idle.begin(seq) {
                idle.answer(seq, 1);
            }
        }
        play.hear(1);
    }
    let mut places: Vec<_> = play.done().iter().map(|done| done.0).collect();
    places.sort_unstable();
    assert_eq!(places, (1..10).collect::<Vec<_>>());
    assert!(!busy.begin(1), "it was taken back");
}

#[test]
fn death_costs_what_was_begun_and_nothing_else() {
    let mut play = Play::new(1, 0);
    play.submit(&[5, 2]);
    let worker = play.worker(0);
    assert!((0..3).all(|seq| worker.begin(seq)));
    worker.answer(0, 1);
    play.bury(0, KILLED);
    let mut done = play.done();
    done.sort_unstable();
    assert_eq!(done, [(0, 1, true), (1, 1, false), (2, 1, false)]);
    assert_eq!(play.scheduler.lost(), 1);
    play.add(Mood::Willing);
    assert_eq!(play.worker(1).places(), [3, 4, 5, 6]);
}

#[test]
fn what_a_killed_worker_had_begun_is_retried_and_the_culprit_alone_is_lost() {
    let mut play = Play::new(1, 2);
    play.submit(&[4]);
    let mut done = Vec::new();
    for at in 0.. {
        let worker = play.worker(at);
        // Call 2 kills every worker that begins it.
        let given: Vec<_> = worker.given.lock().unwrap().clone();
        let mut was_killed = false;
        for (seq, place) in given {
            assert!(worker.begin(seq));
            was_killed = place == 2;
            if was_killed {
                break;
            }
            worker.answer(seq, 1);
        }
        if was_killed {
            play.bury(at, KILLED);
            play.add(Mood::Willing);
        } else {
            play.hear(at);
        }
        done.extend(play.done());
        if done.len() == 4 && !was_killed {
            break;
        }
    }
    done.sort_unstable();
    assert_eq!(done, [(0, 1, true), (1, 1, true), (2, 1, false), (3, 1, true)]);
    assert_eq!(play.scheduler.lost(), 3);
}

#[test]
fn answer_before_death_counts() {
    let mut play = Play::new(1, 0);
    play.submit(&[1]);
    assert!(play.worker(0).begin(0));
    play.worker(0).answer(0, 1);
    play.bury(0, KILLED);
    assert_eq!(play.done(), [(0, 1, true)]);
}

#[test]
fn answers_that_nobody_asked_for_end_the_talk() {
    let mut play = Play::new(1, 0);
    play.submit(&[2]);
    for (seq, count) in [(1, 1), (0, 3), (7, 1), (u64::MAX, 2)] {
        play.worker(0).answer(seq, count);
        assert!(play.scheduler.hear(play.workers[0].0), "{seq}+{count}");
    }
    assert_eq!(play.done(), []);
}

#[test]
fn last_words_are_the_error_of_the_running_call() {
    let mut play = Play::new(1, 5);
    play.submit(&[1]);
    assert!(play.worker(0).begin(0));
    play.worker(0).say(Answer::LastWords(TaskError::Result("last".into())));
    play.bury(0, KILLED);
    let done = play.job.take().unwrap();
    assert!(matches!(done.outcome, Outcome::Failed(TaskError::Result(_))), "and is not retried");
}

#[test]
fn overdue_call_ends_with_its_worker_and_is_not_retried() {
    let mut play = Play::with(Settings { task_timeout: Some(Duration::ZERO), ..settings(1, 5) });
    play.submit(&[1, 1]);
    assert!(play.worker(0).begin(0));
    play.scheduler.tick();
    assert!(*play.worker(0).is_killed.lock().unwrap());
    play.bury(0, KILLED);
    let done = play.job.take().unwrap();
    assert!(matches!(done.outcome, Outcome::Failed(TaskError::TimedOut(_))));
    assert_eq!((play.scheduler.lost(), play.done().len()), (0, 0), "the other one waits");
}

#[test]
fn cancelled_job_leaves_the_queue_and_its_worker() {
    let mut play = Play::new(1, 5);
    play.submit(&[1, 1, 1]);
    assert!(play.worker(0).begin(0));
    let other = Job::new(play.job.program.clone());
    let cancelled = std::mem::replace(&mut play.job, other);
    play.submit(&[1]);
    play.scheduler.cancel(&cancelled);
    assert!(*play.worker(0).is_killed.lock().unwrap());
    play.bury(0, KILLED);
    let errs: Vec<_> = cancelled.take_all().into_iter().map(|done| done.outcome).collect();
    assert_eq!(errs.len(), 3);
    assert!(errs.iter().all(|err| matches!(err, Outcome::Failed(TaskError::Cancelled))));
    play.add(Mood::Willing);
    assert_eq!(play.worker(1).places().len(), 1, "the other job's is left alone");
}

#[test]
fn task_that_no_worker_lives_to_begin_is_given_up() {
    let mut play = Play::new(1, 0);
    play.submit(&[1]);
    for at in 0..10 {
        play.bury(at, KILLED);
        if !play.done().is_empty() {
            return assert!(at >= 3);
        }
        play.add(Mood::Willing);
    }
    panic!("it goes on for ever");
}

#[test]
fn task_of_a_worker_that_was_gone_before_it_is_given_to_the_next() {
    let mut play = Play::new(1, 0);
    play.bury(0, KILLED);
    play.add(Mood::Gone);
    play.submit(&[1]);
    play.bury(1, KILLED);
    assert_eq!(play.done(), []);
    play.add(Mood::Full);
    assert_eq!(play.done(), []);
    play.bury(2, KILLED);
    play.add(Mood::Willing);
    assert_eq!(play.worker(3).places(), [0]);
}

#[test]
fn refused_tasks_fail_and_the_next_are_tried() {
    let mut play = Play::new(1, 0);
    play.bury(0, KILLED);
    play.add(Mood::Refusing);
    play.submit(&[1, 1]);
    assert_eq!(play.done(), [(0, 1, false), (1, 1, false)]);
}

#[test]
fn workers_that_die_at_birth_break_the_pool() {
    let mut play = Play::new(1, 100);
    play.bury(0, KILLED);
    let mut born = 0;
    loop {
        play.scheduler.not_before = None;
        if !play.scheduler.wants_worker() {
            break;
        }
        born += 1;
        let id = play.scheduler.started(puppet(Mood::Willing));
        play.scheduler.bury(id, KILLED);
        assert!(!play.scheduler.wants_worker(), "not at once");
    }
    assert_eq!(born, 11);
    assert!(matches!(play.scheduler.phase(), Phase::Broken(_)));
    assert!(matches!(play.scheduler.submit([]), Err(TaskError::PoolBroken(_))));
    assert!(play.scheduler.is_over());
}

#[test]
fn workers_that_die_later_are_replaced_for_ever_or_as_often_as_allowed() {
    let mut play = Play::new(1, 0);
    for at in 0..100 {
        play.bury(at, KILLED);
        play.add(Mood::Willing);
    }
    assert_eq!(play.scheduler.phase(), &Phase::Open);
    let restarts = Some((3, Duration::from_secs(3600)));
    let mut play = Play::with(Settings { restarts, ..settings(1, 0) });
    for at in 0..3 {
        play.bury(at, KILLED);
        play.add(Mood::Willing);
    }
    play.bury(3, KILLED);
    assert!(matches!(play.scheduler.phase(), Phase::Broken(why) if why.contains("more than 3")));
}

#[test]
fn unfit_worker_breaks_the_pool_with_its_cause() {
    let mut play = Play::new(2, 0);
    play.submit(&[1, 1, 1]);
    play.worker(1).say(Answer::Unfit(TaskError::Result("no licence".into())));
    play.scheduler.hear(play.workers[1].0);
    assert!(matches!(play.scheduler.phase(), Phase::Broken(why) if why.contains("no licence")));
    assert_eq!(play.done().len(), 3);
}

#[test]
fn failed_start_is_tried_again_unless_it_is_the_last_and_for_good() {
    let mut play = Play::new(2, 0);
    play.submit(&[1]);
    play.bury(1, KILLED);
    assert!(play.scheduler.wants_worker());
    play.scheduler.not_started("no processes left", false);
    assert_eq!(play.scheduler.phase(), &Phase::Open);
    assert!(play.scheduler.next_attempt().is_some());
    play.bury(0, KILLED);
    for (may_pass, phase) in [(true, Phase::Open), (false, Phase::Broken("it is gone".into()))] {
        play.scheduler.not_before = None;
        assert!(play.scheduler.wants_worker());
        play.scheduler.not_started("it is gone", may_pass);
        assert_eq!(play.scheduler.phase(), &phase);
    }
    assert_eq!(play.done(), [(0, 1, false)]);
}

#[test]
fn worker_that_has_had_enough_tasks_is_replaced() {
    let mut play = Play::with(Settings { max_tasks: Some(3), ..settings(1, 0) });
    play.submit(&[2; 8]);
    assert_eq!(play.worker(0).places().len(), 6, "three tasks");
    assert!(*play.worker(0).is_stopped.lock().unwrap());
    assert!(play.scheduler.wants_worker(), "at once");
    play.scheduler.not_started("not now", true);
    assert!((0..6).all(|seq| play.worker(0).begin(seq)));
    (0..3).for_each(|task| play.worker(0).answer(2 * task, 2));
    play.hear(0);
    play.bury(0, LEFT);
    assert_eq!((play.scheduler.lost(), play.done().len()), (0, 3));
    play.add(Mood::Willing);
    assert_eq!(play.worker(1).places().len(), 6);
}

#[test]
fn smaller_pool_ends_the_workers_with_least_to_do() {
    let mut play = Play::new(3, 0);
    play.submit(&[1]);
    let busy = play.workers.iter().position(|(_, worker)| !worker.places().is_empty()).unwrap();
    play.scheduler.resize(1);
    for (at, (_, worker)) in play.workers.iter().enumerate() {
        assert_eq!(*worker.is_stopped.lock().unwrap(), at != busy);
    }
    play.scheduler.resize(2);
    assert!(play.scheduler.wants_worker());
}

#[test]
fn idle_workers_leave_and_come_back() {
    let idle_timeout = Some(Duration::ZERO);
    let mut play = Play::with(Settings { idle_timeout, ..settings(2, 0) });
    play.scheduler.tick();
    for at in 0..2 {
        assert!(*play.worker(at).is_stopped.lock().unwrap());
        play.bury(at, LEFT);
    }
    assert!(!play.scheduler.wants_worker(), "nothing is to be done");
    play.submit(&[1]);
    play.add(Mood::Willing);
    assert!(!play.scheduler.wants_worker(), "one is enough");
    assert_eq!(play.worker(2).places(), [0]);
}

#[test]
fn closed_pool_does_what_is_queued_then_stops_its_workers() {
    let mut play = Play::new(1, 0);
    play.submit(&[1]);
    play.scheduler.close();
    assert_eq!(play.scheduler.submit([]), Err(TaskError::NotRunning));
    assert!(!*play.worker(0).is_stopped.lock().unwrap());
    assert!(play.worker(0).begin(0));
    play.worker(0).answer(0, 1);
    play.hear(0);
    assert!(*play.worker(0).is_stopped.lock().unwrap());
    assert!(!play.scheduler.is_over());
    play.bury(0, LEFT);
    assert!(play.scheduler.is_over());
    assert_eq!(play.scheduler.lost(), 0);
}

#[test]
fn terminated_pool_fails_each_call_once() {
    let mut play = Play::new(1, 3);
    play.submit(&[3, 3]);
    assert!(play.worker(0).begin(0));
    play.worker(0).answer(0, 1);
    play.hear(0);
    play.scheduler.terminate(&TaskError::NotRunning);
    play.scheduler.terminate(&TaskError::NotRunning);
    play.bury(0, KILLED);
    let mut done = play.done();
    done.sort_unstable();
    assert_eq!(done, [(0, 1, true), (1, 2, false), (3, 3, false)]);
    assert!(play.scheduler.is_over());
}

#[test]
fn handles_of_a_chunk_go_with_each_of_its_parts() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let handle = Handle::from(OwnedFd::from(reader));
    let calls: Calls<(Handle,), u8> = Calls::wire(|_: Handle| 0u8).unwrap();
    let job = Job::new(calls.program.clone());
    let mut packer = calls.packer(job);
    assert!(packer.push((handle.clone(),)).is_empty() && packer.push((handle,)).is_empty());
    packer.end_chunk();
    let task = packer.take().pop().unwrap();
    let (one, two) = task.split(1);
    for part in [one.unwrap(), two.unwrap()] {
        let crate::job::Input::Wire { block, .. } = &part.input else { unreachable!("of a pool") };
        assert_eq!(block.handles.len(), 2);
    }
}
