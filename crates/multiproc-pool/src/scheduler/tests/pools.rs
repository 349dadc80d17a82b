//! What becomes of workers, and of the pool.

use super::{
    super::*,
    play::{KILLED, LEFT, Mood, Play, puppet, settings},
};
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
fn restarts_are_counted_by_place() {
    let mut play = Play::with(Settings { max_tasks: Some(1), ..settings(2, 0) });
    let restarts = |play: &Play| -> Vec<u64> {
        play.scheduler.stats().workers.iter().map(|worker| worker.restarts).collect()
    };
    assert_eq!(restarts(&play), [0, 0]);
    play.bury(0, KILLED);
    play.add(Mood::Willing);
    play.bury(2, KILLED);
    play.add(Mood::Willing);
    assert_eq!(restarts(&play), [0, 2]);
    // One that is to leave has given up its place before it has left.
    play.submit(&[1, 1]);
    play.add(Mood::Willing);
    play.add(Mood::Willing);
    let mut seen = restarts(&play);
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3]);
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
    (0..3).for_each(|_| play.worker(0).answer(2));
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
    play.worker(0).answer(1);
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
    play.worker(0).answer(1);
    play.hear(0);
    play.scheduler.terminate(&TaskError::NotRunning);
    play.scheduler.terminate(&TaskError::NotRunning);
    play.bury(0, KILLED);
    let mut done = play.done();
    done.sort_unstable();
    assert_eq!(done, [(0, 1, true), (1, 2, false), (3, 3, false)]);
    assert!(play.scheduler.is_over());
}
