//! Kills after every instruction of put and get, with others asleep: they go on at once, and nothing is lost.
//!
//! The others have no slices, so a wake-up that nobody delivers is a test that never ends, and the watchdog ends it.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use super::{
    super::{SeqCst, layout::Position},
    victim::{Helper, Victim},
    *,
};

/// Ends the test run if `test` hangs.
fn watched(test: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    match wait.recv_timeout(Duration::from_secs(60)) {
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => thread.join().unwrap(),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            let ring = WATCHED.lock().unwrap().take();
            eprintln!("{:?}", ring.as_ref().map(|ring| ring.fields()));
            eprintln!("a kill between two instructions leaves somebody asleep");
            std::process::abort();
        }
    }
}

/// What is shown when a test hangs.
static WATCHED: Mutex<Option<Arc<Ring>>> = Mutex::new(None);

/// Who waits while the victim is at work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    Nobody,
    /// Of the other side, for what the victim does.
    Leader,
    /// And one of the victim's own side, for its lock.
    LeaderAndLocker,
}

/// Kills after `first`, `first + every`, ... instructions until the operation ends before that.
fn every_step(every: usize, mut kill_after: impl FnMut(usize) -> bool) {
    let mut count = 0;
    while kill_after(count) {
        count += every;
    }
    println!("{count} instructions");
    assert!(100 < count, "the operation takes some");
}

fn step_so_far(victim: &Victim, count: usize) -> bool {
    (0..count).all(|_| victim.step())
}

fn killed_put(others: Others) {
    let ring = Arc::new(small(1 << 20, 0));
    *WATCHED.lock().unwrap() = Some(Arc::clone(&ring));
    let (leader, locker) = (Helper::new(), Helper::new());
    every_step(STRIDE, |count| {
        let slot = Position(ring.fields().tail.load(SeqCst));
        let (tell, told) = mpsc::channel();
        if others != Others::Nobody {
            let (shared, tell) = (Arc::clone(&ring), tell.clone());
            leader.start(move || tell.send(get(&shared)).unwrap());
            leader.settle(&ring);
        }
        let victim = Victim::new(|| put(&ring, b"victim's"));
        let goes_on = step_so_far(&victim, count);
        if others == Others::LeaderAndLocker {
            let shared = Arc::clone(&ring);
            locker.start(move || put(&shared, b"locker's"));
            locker.settle(&ring);
        }
        if goes_on {
            victim.kill();
        }
        locker.finish();

        let mut items = Vec::new();
        let is_there = ring.is_there(slot);
        if others != Others::Nobody {
            if !is_there {
                put(&ring, b"last");
            }
            leader.finish();
        }
        items.extend(told.try_iter());
        items.extend(std::iter::from_fn(|| try_get(&ring)));
        items.sort();
        let expected: &[&[u8]] = match others {
            Others::LeaderAndLocker => &[b"locker's"],
            Others::Leader if !is_there => &[b"last"],
            _ => &[],
        };
        let rest: Vec<_> = items.iter().filter(|item| !expected.contains(&&item[..])).collect();
        assert!(rest.is_empty() || rest == [b"victim's"], "after {count}: {items:?}");
        assert_eq!(items.len(), expected.len() + rest.len());
        assert_eq!(ring.len(), 0, "after {count}");
        goes_on
    });
}

fn killed_get(others: Others) {
    let ring = Arc::new(small(1 << 20, 1));
    *WATCHED.lock().unwrap() = Some(Arc::clone(&ring));
    let (leader, locker) = (Helper::new(), Helper::new());
    every_step(STRIDE, |count| {
        put(&ring, b"first");
        if others != Others::Nobody {
            let shared = Arc::clone(&ring);
            leader.start(move || put(&shared, b"second"));
            leader.settle(&ring);
        }
        let victim = Victim::new(|| drop(get(&ring)));
        let goes_on = step_so_far(&victim, count);
        let (tell, told) = mpsc::channel();
        if others == Others::LeaderAndLocker {
            let shared = Arc::clone(&ring);
            locker.start(move || tell.send(get(&shared)).unwrap());
            locker.settle(&ring);
        }
        if goes_on {
            victim.kill();
        }
        // The locker takes the first or, if the victim had it, the second.
        locker.finish();
        let mut items: Vec<_> = told.try_iter().collect();
        match others {
            Others::Nobody => items.extend(try_get(&ring)),
            Others::Leader => {
                let first = get(&ring);
                if first == b"first" {
                    leader.finish();
                    items.push(get(&ring));
                }
                items.insert(0, first);
            }
            Others::LeaderAndLocker if items == [b"first"] => {
                leader.finish();
                items.push(get(&ring));
            }
            Others::LeaderAndLocker => {}
        }
        leader.finish();
        let all: &[&[u8]] = match others {
            Others::Nobody => &[b"first"],
            _ => &[b"first", b"second"],
        };
        let is_right = items == all || items == all[1..];
        assert!(is_right, "after {count}: {items:?}");
        assert_eq!((ring.len(), try_get(&ring)), (0, None), "after {count}");
        goes_on
    });
}

/// Unoptimised code takes some ten times as many instructions.
const STRIDE: usize = 1;

#[test]
fn put_killed_alone() {
    watched(|| killed_put(Others::Nobody));
}

#[test]
fn put_killed_before_a_sleeping_leader() {
    watched(|| killed_put(Others::Leader));
}

#[test]
fn put_killed_before_a_sleeping_leader_and_a_locker() {
    watched(|| killed_put(Others::LeaderAndLocker));
}

#[test]
fn get_killed_alone() {
    watched(|| killed_get(Others::Nobody));
}

#[test]
fn get_killed_before_a_sleeping_leader() {
    watched(|| killed_get(Others::Leader));
}

#[test]
fn get_killed_before_a_sleeping_leader_and_a_locker() {
    watched(|| killed_get(Others::LeaderAndLocker));
}
