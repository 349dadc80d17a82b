//! The scheduler with workers that are told what to do: every order of events can be played.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Mutex,
};

use super::*;

/// A worker whose answers are put in by the test.
struct Puppet {
    given: Mutex<Vec<Order>>,
    answers: Mutex<VecDeque<Reply>>,
    mood: Mood,
    fd: OwnedFd,
}

#[derive(Clone, Copy)]
enum Mood {
    Willing,
    Refusing,
    Gone,
}

fn puppet(mood: Mood) -> Arc<Puppet> {
    let fd = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
    Arc::new(Puppet { given: Mutex::default(), answers: Mutex::default(), mood, fd })
}

impl Worker for Puppet {
    fn give(&self, order: &Order) -> Given {
        match self.mood {
            Mood::Gone => return Given::Gone,
            Mood::Refusing => return Given::Refused("no descriptor left".into()),
            Mood::Willing => {}
        }
        let copy = multiproc_wire::encode(order).unwrap().decode().unwrap();
        self.given.lock().unwrap().push(copy);
        Given::Taken
    }

    fn take(&self) -> Answer {
        match self.answers.lock().unwrap().pop_front() {
            Some(Reply::Ready) => Answer::Ready,
            Some(reply) => Answer::Reply(reply),
            None => Answer::None,
        }
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

    fn kill(&self) {}
}

impl Puppet {
    fn answer(&self) {
        self.answers.lock().unwrap().push_back(Reply::Each(Vec::new()));
    }

    fn orders(&self) -> usize {
        self.given.lock().unwrap().len()
    }
}

const KILLED: Death = Death { signal: Some(9), exitcode: None };

fn pool(size: usize, retries: u32) -> (Scheduler<Puppet>, Vec<Arc<Puppet>>, u64) {
    let mut scheduler = Scheduler::new(size, retries);
    let workers: Vec<_> = (0..size).map(|_| add(&mut scheduler)).collect();
    let job = scheduler.open_job(Program::new::<_, (u8,)>(|x: u8| x).unwrap()).unwrap();
    (scheduler, workers, job)
}

fn add(scheduler: &mut Scheduler<Puppet>) -> Arc<Puppet> {
    assert!(scheduler.wants_worker());
    let worker = puppet(Mood::Willing);
    scheduler.started(worker.clone());
    worker
}

fn task(job: u64, start: usize, count: usize) -> Task {
    let calls: Vec<(u8,)> = (0..count).map(|offset| ((start + offset) as u8,)).collect();
    Task { job, start, count, input: multiproc_wire::encode(&calls).unwrap(), deaths: 0 }
}

/// What is done of a job; chunks that have to be taken apart are.
fn next_done(scheduler: &mut Scheduler<Puppet>, job: u64) -> Option<Done> {
    loop {
        match scheduler.take_event(job)? {
            Event::Done(done) => return Some(done),
            Event::Split(task) => {
                let parts = scheduler.splitter(job).unwrap()(&task.input);
                scheduler.requeue(task, parts);
            }
        }
    }
}

#[test]
fn each_worker_has_one_task_at_a_time() {
    let (mut scheduler, workers, job) = pool(2, 0);
    for start in 0..3 {
        scheduler.submit(task(job, start, 1)).unwrap();
    }
    scheduler.assign();
    scheduler.assign();
    assert_eq!(workers.iter().map(|worker| worker.orders()).collect::<Vec<_>>(), [1, 1]);
    workers[1].answer();
    assert!(!scheduler.hear(&workers[1]));
    scheduler.assign();
    assert_eq!(workers[1].orders(), 2);
    assert_eq!(next_done(&mut scheduler, job).map(|done| done.start), Some(1));
    assert!(next_done(&mut scheduler, job).is_none());
    let given = workers[1].given.lock().unwrap();
    assert!(matches!(given[0], Order::Run { program: Some(_), .. }));
    assert!(
        matches!(given[1], Order::Run { program: None, .. }),
        "a loaded program is not sent again"
    );
}

#[test]
fn death_fails_exactly_its_task() {
    let (mut scheduler, workers, job) = pool(2, 0);
    scheduler.submit(task(job, 0, 1)).unwrap();
    scheduler.submit(task(job, 1, 1)).unwrap();
    scheduler.assign();
    scheduler.bury(&workers[0], KILLED);
    let done = next_done(&mut scheduler, job).unwrap();
    assert_eq!(done.start, 0);
    assert_eq!(
        done.outcome.unwrap_err(),
        TaskError::WorkerLost { signal: Some(9), exitcode: None, oom: false }
    );
    assert!(next_done(&mut scheduler, job).is_none());
    workers[1].answer();
    scheduler.hear(&workers[1]);
    assert!(next_done(&mut scheduler, job).unwrap().outcome.is_ok());
    assert_eq!(scheduler.lost(), 1);
}

#[test]
fn answer_before_death_counts() {
    let (mut scheduler, workers, job) = pool(1, 0);
    scheduler.submit(task(job, 0, 1)).unwrap();
    scheduler.assign();
    workers[0].answer();
    scheduler.bury(&workers[0], KILLED);
    assert!(next_done(&mut scheduler, job).unwrap().outcome.is_ok());
}

#[test]
fn retried_chunk_is_taken_apart_and_the_culprit_alone_is_lost() {
    let (mut scheduler, workers, job) = pool(1, 2);
    scheduler.submit(task(job, 5, 3)).unwrap();
    scheduler.submit(task(job, 8, 1)).unwrap();
    scheduler.assign();
    scheduler.bury(&workers[0], KILLED);
    let mut results = Vec::new();
    assert!(next_done(&mut scheduler, job).is_none());
    // Call 6 kills every worker it is given to.
    while let Some(next) = scheduler.queue.front().map(|task| task.start) {
        pass_time(&mut scheduler);
        let worker = if scheduler.slots.is_empty() {
            add(&mut scheduler)
        } else {
            scheduler.slots[0].worker.clone()
        };
        scheduler.assign();
        if next == 6 {
            scheduler.bury(&worker, KILLED);
        } else {
            worker.answer();
            scheduler.hear(&worker);
        }
        results.extend(
            next_done(&mut scheduler, job)
                .map(|done| (done.start, done.count, done.outcome.is_ok())),
        );
    }
    results.sort_unstable();
    assert_eq!(results, [(5, 1, true), (6, 1, false), (7, 1, true), (8, 1, true)]);
}

#[test]
fn task_of_a_worker_that_was_gone_before_it_is_not_counted_against_it() {
    let mut scheduler = Scheduler::new(1, 0);
    assert!(scheduler.wants_worker());
    let gone = puppet(Mood::Gone);
    scheduler.started(gone.clone());
    let job = scheduler.open_job(Program::new::<_, (u8,)>(|x: u8| x).unwrap()).unwrap();
    scheduler.submit(task(job, 0, 1)).unwrap();
    scheduler.assign();
    scheduler.bury(&gone, KILLED);
    pass_time(&mut scheduler);
    assert!(next_done(&mut scheduler, job).is_none());
    let worker = add(&mut scheduler);
    scheduler.assign();
    assert_eq!(worker.orders(), 1);
}

/// Forgets the pause after a failure, as if it had passed.
fn pass_time(scheduler: &mut Scheduler<Puppet>) {
    scheduler.not_before = None;
}

#[test]
fn workers_that_die_at_birth_break_the_pool() {
    let (mut scheduler, workers, job) = pool(1, 100);
    scheduler.bury(&workers[0], KILLED);
    let mut born = 1;
    loop {
        assert!(!scheduler.wants_worker(), "not at once");
        pass_time(&mut scheduler);
        if !scheduler.wants_worker() {
            break;
        }
        born += 1;
        let worker = puppet(Mood::Willing);
        scheduler.started(worker.clone());
        scheduler.bury(&worker, KILLED);
    }
    assert_eq!(born, ATTEMPTS + 1);
    assert!(matches!(scheduler.phase(), Phase::Broken(_)));
    assert!(matches!(scheduler.submit(task(job, 0, 1)), Err(TaskError::PoolBroken(_))));
    assert!(scheduler.is_over());
}

#[test]
fn workers_that_die_later_are_replaced_for_ever() {
    let (mut scheduler, mut workers, _) = pool(1, 0);
    for _ in 0..10 * ATTEMPTS {
        let worker = workers.pop().unwrap();
        worker.answers.lock().unwrap().push_back(Reply::Ready);
        scheduler.bury(&worker, KILLED);
        workers.push(add(&mut scheduler));
    }
    assert_eq!(scheduler.phase(), &Phase::Open);
}

#[test]
fn failed_start_is_tried_again_unless_it_is_the_last_and_for_good() {
    let (mut scheduler, workers, job) = pool(2, 0);
    scheduler.submit(task(job, 0, 1)).unwrap();
    scheduler.bury(&workers[0], KILLED);
    pass_time(&mut scheduler);
    assert!(scheduler.wants_worker());
    scheduler.not_started("no processes left", false);
    assert_eq!(scheduler.phase(), &Phase::Open);
    assert!(scheduler.next_attempt().is_some());
    scheduler.bury(&workers[1], KILLED);
    pass_time(&mut scheduler);
    assert!(scheduler.wants_worker());
    scheduler.not_started("no descriptors left", true);
    assert_eq!(scheduler.phase(), &Phase::Open);
    pass_time(&mut scheduler);
    assert!(scheduler.wants_worker());
    scheduler.not_started("executable is gone", false);
    assert_eq!(scheduler.phase(), &Phase::Broken("executable is gone".into()));
    assert!(matches!(
        next_done(&mut scheduler, job).unwrap().outcome,
        Err(TaskError::PoolBroken(_))
    ));
}

#[test]
fn refused_tasks_fail_and_the_next_are_tried() {
    let mut scheduler = Scheduler::new(1, 0);
    assert!(scheduler.wants_worker());
    scheduler.started(puppet(Mood::Refusing));
    let job = scheduler.open_job(Program::new::<_, (u8,)>(|x: u8| x).unwrap()).unwrap();
    scheduler.submit(task(job, 0, 1)).unwrap();
    scheduler.submit(task(job, 1, 1)).unwrap();
    scheduler.assign();
    for _ in 0..2 {
        let refused = next_done(&mut scheduler, job).unwrap();
        assert!(matches!(refused.outcome, Err(TaskError::Encode(_))));
    }
}

#[test]
fn closed_pool_waits_for_what_is_being_taken_apart() {
    let (mut scheduler, workers, job) = pool(1, 1);
    scheduler.submit(task(job, 0, 2)).unwrap();
    scheduler.assign();
    scheduler.close();
    workers[0].answers.lock().unwrap().push_back(Reply::Ready);
    scheduler.bury(&workers[0], KILLED);
    assert!(!scheduler.is_over());
    let Some(Event::Split(chunk)) = scheduler.take_event(job) else { panic!("not to be split") };
    assert!(!scheduler.is_over());
    assert!(scheduler.wants_worker());
    scheduler.requeue(chunk, None);
    scheduler.forget_job(job);
    assert!(!scheduler.is_over(), "a worker is being started");
}

#[test]
fn closed_pool_does_what_is_queued_then_stops_its_workers() {
    let (mut scheduler, workers, job) = pool(1, 0);
    scheduler.submit(task(job, 0, 1)).unwrap();
    scheduler.close();
    assert_eq!(scheduler.submit(task(job, 1, 1)), Err(TaskError::NotRunning));
    scheduler.assign();
    assert!(!scheduler.is_over());
    workers[0].answer();
    scheduler.hear(&workers[0]);
    scheduler.assign();
    assert!(matches!(workers[0].given.lock().unwrap()[..], [Order::Run { .. }, Order::Stop]));
    scheduler.bury(&workers[0], Death { signal: None, exitcode: Some(0) });
    assert!(scheduler.is_over());
    assert_eq!(scheduler.lost(), 0);
}

#[test]
fn pool_that_is_terminated_while_a_chunk_is_taken_apart_ends() {
    let (mut scheduler, workers, job) = pool(1, 1);
    scheduler.submit(task(job, 0, 2)).unwrap();
    scheduler.assign();
    workers[0].answers.lock().unwrap().push_back(Reply::Ready);
    scheduler.bury(&workers[0], KILLED);
    let Some(Event::Split(chunk)) = scheduler.take_event(job) else { panic!("not to be split") };
    scheduler.terminate();
    scheduler.requeue(chunk, None);
    assert_eq!(next_done(&mut scheduler, job).unwrap().outcome.unwrap_err(), TaskError::NotRunning);
    assert!(scheduler.is_over());
}

#[test]
fn closing_pool_does_not_wait_for_workers_it_does_not_need() {
    let (mut scheduler, workers, _) = pool(2, 0);
    scheduler.bury(&workers[0], KILLED);
    assert!(scheduler.next_attempt().is_some());
    scheduler.close();
    assert_eq!(scheduler.next_attempt(), None);
}

#[test]
fn forgotten_job_leaves_the_queue() {
    let (mut scheduler, workers, job) = pool(1, 0);
    scheduler.submit(task(job, 0, 1)).unwrap();
    scheduler.submit(task(job, 1, 1)).unwrap();
    scheduler.assign();
    scheduler.forget_job(job);
    workers[0].answer();
    scheduler.hear(&workers[0]);
    scheduler.assign();
    assert_eq!(workers[0].orders(), 1);
}
