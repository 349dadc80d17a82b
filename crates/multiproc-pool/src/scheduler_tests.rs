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
    is_gone: bool,
    fd: OwnedFd,
}

fn puppet(is_gone: bool) -> Arc<Puppet> {
    let fd = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
    Arc::new(Puppet { given: Mutex::default(), answers: Mutex::default(), is_gone, fd })
}

impl Worker for Puppet {
    fn give(&self, order: &Order) -> Given {
        if self.is_gone {
            return Given::Gone;
        }
        let copy = multiproc_wire::encode(order).unwrap().decode().unwrap();
        self.given.lock().unwrap().push(copy);
        Given::Taken
    }

    fn take(&self) -> Answer {
        self.answers.lock().unwrap().pop_front().map_or(Answer::None, Answer::Reply)
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
    let worker = puppet(false);
    scheduler.started(worker.clone());
    worker
}

fn task(job: u64, start: usize, count: usize) -> Task {
    let calls: Vec<(u8,)> = (0..count).map(|offset| ((start + offset) as u8,)).collect();
    Task { job, start, count, input: multiproc_wire::encode(&calls).unwrap(), deaths: 0 }
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
    assert_eq!(scheduler.take_done(job).map(|done| done.start), Some(1));
    assert!(scheduler.take_done(job).is_none());
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
    let done = scheduler.take_done(job).unwrap();
    assert_eq!(done.start, 0);
    assert_eq!(
        done.outcome.unwrap_err(),
        TaskError::WorkerLost { signal: Some(9), exitcode: None, oom: false }
    );
    assert!(scheduler.take_done(job).is_none());
    workers[1].answer();
    scheduler.hear(&workers[1]);
    assert!(scheduler.take_done(job).unwrap().outcome.is_ok());
    assert_eq!(scheduler.lost(), 1);
}

#[test]
fn answer_before_death_counts() {
    let (mut scheduler, workers, job) = pool(1, 0);
    scheduler.submit(task(job, 0, 1)).unwrap();
    scheduler.assign();
    workers[0].answer();
    scheduler.bury(&workers[0], KILLED);
    assert!(scheduler.take_done(job).unwrap().outcome.is_ok());
}

#[test]
fn retried_chunk_is_taken_apart_and_the_culprit_alone_is_lost() {
    let (mut scheduler, workers, job) = pool(1, 2);
    scheduler.submit(task(job, 5, 3)).unwrap();
    scheduler.submit(task(job, 8, 1)).unwrap();
    scheduler.assign();
    scheduler.bury(&workers[0], KILLED);
    let mut results = Vec::new();
    // Call 6 kills every worker it is given to.
    while let Some(next) = scheduler.queue.front().map(|task| task.start) {
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
            scheduler.take_done(job).map(|done| (done.start, done.count, done.outcome.is_ok())),
        );
    }
    results.sort_unstable();
    assert_eq!(results, [(5, 1, true), (6, 1, false), (7, 1, true), (8, 1, true)]);
}

#[test]
fn task_of_a_worker_that_was_gone_before_it_is_not_counted_against_it() {
    let mut scheduler = Scheduler::new(1, 0);
    assert!(scheduler.wants_worker());
    let gone = puppet(true);
    scheduler.started(gone.clone());
    let job = scheduler.open_job(Program::new::<_, (u8,)>(|x: u8| x).unwrap()).unwrap();
    scheduler.submit(task(job, 0, 1)).unwrap();
    scheduler.assign();
    scheduler.bury(&gone, KILLED);
    assert!(scheduler.take_done(job).is_none());
    let worker = add(&mut scheduler);
    scheduler.assign();
    assert_eq!(worker.orders(), 1);
}

#[test]
fn workers_that_only_die_break_the_pool() {
    let (mut scheduler, workers, job) = pool(1, 100);
    scheduler.bury(&workers[0], KILLED);
    while scheduler.wants_worker() {
        let worker = puppet(false);
        scheduler.started(worker.clone());
        scheduler.bury(&worker, KILLED);
    }
    assert!(matches!(scheduler.phase(), Phase::Broken(_)));
    assert!(matches!(scheduler.submit(task(job, 0, 1)), Err(TaskError::PoolBroken(_))));
    assert!(scheduler.is_over());
}

#[test]
fn last_failed_start_breaks_the_pool_and_earlier_ones_shrink_it() {
    let (mut scheduler, workers, job) = pool(2, 0);
    scheduler.submit(task(job, 0, 1)).unwrap();
    scheduler.bury(&workers[0], KILLED);
    assert!(scheduler.wants_worker());
    scheduler.not_started("no processes left");
    assert_eq!(scheduler.phase(), &Phase::Open);
    scheduler.bury(&workers[1], KILLED);
    assert!(scheduler.wants_worker());
    scheduler.not_started("no processes left");
    assert_eq!(scheduler.phase(), &Phase::Broken("no processes left".into()));
    assert!(matches!(scheduler.take_done(job).unwrap().outcome, Err(TaskError::PoolBroken(_))));
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
