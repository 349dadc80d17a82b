//! What becomes of tasks.

use std::os::fd::OwnedFd;

use multiproc_wire::Handle;

use super::{
    super::*,
    play::{KILLED, Mood, Play, settings},
};
use crate::{
    calls::Calls,
    job::{Input, Outcome},
};

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
                idle.answer(1);
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
    worker.answer(1);
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
            worker.answer(1);
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
    play.worker(0).answer(1);
    play.bury(0, KILLED);
    assert_eq!(play.done(), [(0, 1, true)]);
}

#[test]
fn answers_that_nobody_asked_for_end_the_talk() {
    let mut play = Play::new(1, 0);
    play.submit(&[2]);
    play.worker(0)
        .say(Answer::Results { count: 3, outcome: Outcome::Failed(TaskError::Cancelled) });
    assert!(play.scheduler.hear(play.workers[0].0), "one too many");
    assert_eq!(play.done(), [(0, 2, false)]);
    play.worker(0).answer(1);
    assert!(play.scheduler.hear(play.workers[0].0), "it has nothing to answer");
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
    assert!(play.worker(0).begun_late.lock().unwrap().is_empty(), "nothing else dies with it");
    play.bury(0, KILLED);
    let done = play.job.take().unwrap();
    assert!(matches!(done.outcome, Outcome::Failed(TaskError::TimedOut(_))));
    assert_eq!((play.scheduler.lost(), play.done().len()), (0, 0), "the other one waits");
}

#[test]
fn worker_that_has_come_to_another_call_is_left_alone() {
    let mut play = Play::new(1, 0);
    play.submit(&[1, 1, 1]);
    let worker = play.worker(0);
    assert!(worker.begin(0) && worker.begin(1));
    assert!(!play.scheduler.doom(0, 0, TaskError::Cancelled), "it was at another one");
    assert!(!*worker.is_killed.lock().unwrap());
    play.scheduler.assign();
    worker.answer(1);
    worker.answer(1);
    play.hear(0);
    let (seq, place) = *worker.given.lock().unwrap().last().unwrap();
    assert!(place == 2 && worker.begin(seq), "what was taken back is given again");
    worker.answer(1);
    play.hear(0);
    assert_eq!(play.done(), [(0, 1, true), (1, 1, true), (2, 1, true)]);
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
    assert!(play.worker(0).begun_late.lock().unwrap().is_empty(), "nothing else dies with it");
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
fn what_there_was_no_room_for_is_tried_again_without_an_answer() {
    let mut play = Play::new(1, 0);
    let worker = play.worker(0);
    *worker.mood.lock().unwrap() = Mood::Full;
    play.submit(&[1]);
    assert!(!play.scheduler.assign_again(), "there is no room yet");
    *worker.mood.lock().unwrap() = Mood::Willing;
    assert!(play.scheduler.assign_again());
    assert_eq!(worker.places(), [0]);
    assert!(worker.begin(0));
    worker.answer(1);
    play.hear(0);
    *worker.mood.lock().unwrap() = Mood::Full;
    play.scheduler.close();
    assert!(!*worker.is_stopped.lock().unwrap());
    *worker.mood.lock().unwrap() = Mood::Willing;
    assert!(play.scheduler.assign_again());
    assert!(*worker.is_stopped.lock().unwrap());
    assert!(!play.scheduler.assign_again(), "nothing waits for room any more");
}

#[test]
fn what_is_taken_back_keeps_its_order_across_jobs() {
    let mut play = Play::new(1, 0);
    play.submit(&[1; 8]);
    let worker = play.worker(0);
    assert!(worker.begin(0));
    let other = Job::new(play.job.program.clone());
    let first = std::mem::replace(&mut play.job, other);
    // The places of both begin at 0.
    play.submit(&[1; 4]);
    play.scheduler.take_back(0);
    let is_first: Vec<_> =
        play.scheduler.queue.iter().map(|task| Arc::ptr_eq(&task.job, &first)).collect();
    assert!(is_first.len() >= 4 && is_first.is_sorted_by(|before, after| before >= after));
}

#[test]
fn handles_of_a_chunk_go_with_each_of_its_parts() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let handle = Handle::from(OwnedFd::from(reader));
    let calls = Calls::<(Handle,), u8, _>::wire(|_: Handle| 0u8).unwrap();
    let job = Job::new(calls.program.clone());
    let mut packer = calls.packer(job, 2);
    assert!(!packer.push((handle.clone(),)) && !packer.push((handle,)));
    let task = packer.end().pop().unwrap();
    let (one, two) = task.split(1);
    for part in [one.unwrap(), two.unwrap()] {
        let Input::Wire { block, .. } = &part.input else { unreachable!("of a pool") };
        assert_eq!(block.handles.len(), 2);
    }
}
