//! The ring in a model checker, which tries every order of its steps: the shipped code, in the world of `kernel.rs`.

use loom::{
    sync::{Arc, atomic::AtomicU32},
    thread::{self, JoinHandle},
};
use multiproc_sys::primitive::Ordering::SeqCst;

use super::{
    Inbox, NO_PACKETS, Patience, Record, Refused, Ring, WITHOUT_SLICES, Waiting,
    kernel::{Kernel, killed_after, name},
};
use std::os::fd::AsFd;

type Shared = Arc<Ring<Kernel>>;

/// Runs every order of steps with at most two switches where none was needed, or `LOOM_MAX_PREEMPTIONS`.
fn check(model: impl Fn() + Sync + Send + 'static) {
    check_with(2, model);
}

fn check_with(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    // Else what a sleeper does would depend on the clock.
    WITHOUT_SLICES.set(true);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.check(move || {
        name(1);
        model();
    });
}

/// A thread of the model, which has the ring.
fn user<T: 'static>(
    tid: u32,
    ring: &Shared,
    body: impl FnOnce(&Ring<Kernel>) -> T + 'static,
) -> JoinHandle<T> {
    let ring = Arc::clone(ring);
    thread::spawn(move || {
        name(tid);
        body(&ring)
    })
}

/// As a queue does it.
fn put_within(ring: &Ring<Kernel>, number: u8, patience: Patience) -> Result<(), Refused> {
    if ring.put_at_once(&[number; 8]).is_some() {
        return Ok(());
    }
    let record = Record { bytes: &[number; 8], fds: &[], outbox: None, in_file: false };
    ring.put(&record, &mut Waiting::new(patience)).map(drop)
}

fn put(ring: &Ring<Kernel>, number: u8) {
    put_within(ring, number, Patience::Endless).unwrap();
}

fn get_within(ring: &Ring<Kernel>, patience: Patience) -> Result<u8, Refused> {
    let mut bytes = Vec::new();
    if !ring.get_at_once(&mut bytes, None) {
        NO_PACKETS.with(|end| {
            let waiting = &mut Waiting::lingered(patience);
            ring.get(&mut bytes, None, Inbox(end.as_fd()), waiting)
        })?;
    }
    assert!(bytes.len() == 8 && bytes.iter().all(|byte| *byte == bytes[0]), "torn: {bytes:?}");
    Ok(bytes[0])
}

fn get(ring: &Ring<Kernel>) -> u8 {
    get_within(ring, Patience::Endless).unwrap()
}

/// Takes all that is left.
fn rest(ring: &Ring<Kernel>) -> Vec<u8> {
    std::iter::from_fn(|| get_within(ring, Patience::None).ok()).collect()
}

#[test]
fn consumer_that_sleeps_is_woken_by_the_item() {
    check(|| {
        let ring = Arc::new(Kernel::ring(32, 0));
        let consumer = user(2, &ring, |ring| [get(ring), get(ring)]);
        put(&ring, 1);
        put(&ring, 2);
        assert_eq!(consumer.join().unwrap(), [1, 2]);
        assert_eq!(ring.len(), 0);
    });
}

#[test]
fn producer_that_sleeps_is_woken_by_room() {
    check(|| {
        let ring = Arc::new(Kernel::ring(32, 1));
        let producer = user(2, &ring, |ring| {
            put(ring, 1);
            put(ring, 2);
        });
        assert_eq!([get(&ring), get(&ring)], [1, 2]);
        producer.join().unwrap();
    });
}

#[test]
fn consumers_get_an_item_each() {
    check(|| {
        let ring = Arc::new(Kernel::ring(32, 0));
        let consumers = [2, 3].map(|tid| user(tid, &ring, get));
        put(&ring, 1);
        put(&ring, 2);
        let mut items = consumers.map(|consumer| consumer.join().unwrap());
        items.sort_unstable();
        assert_eq!(items, [1, 2]);
    });
}

#[test]
fn producers_take_turns() {
    check(|| {
        let ring = Arc::new(Kernel::ring(32, 1));
        let producers = [2, 3].map(|tid| user(tid, &ring, move |ring| put(ring, tid as u8)));
        let mut items = [get(&ring), get(&ring)];
        items.sort_unstable();
        assert_eq!(items, [2, 3]);
        for producer in producers {
            producer.join().unwrap();
        }
    });
}

#[test]
fn who_does_not_wait_does_not_wait_for_a_leader() {
    check(|| {
        let ring = Arc::new(Kernel::ring(32, 0));
        let leader = user(2, &ring, get);
        let hasty = user(3, &ring, |ring| match get_within(ring, Patience::None) {
            Ok(item) => Some(item),
            Err(Refused::TimedOut) => None,
            Err(other) => panic!("{other:?}"),
        });
        // Before there is anything to be had it may have to wait for nobody.
        let early = hasty.join().unwrap();
        assert_eq!(early, None);
        put(&ring, 1);
        assert_eq!(leader.join().unwrap(), 1);
    });
}

#[test]
fn end_wakes_who_sleeps() {
    check(|| {
        let ring = Arc::new(Kernel::ring(32, 0));
        let consumer = user(2, &ring, |ring| {
            assert_eq!(get(ring), 1);
            assert!(matches!(get_within(ring, Patience::Endless), Err(Refused::ShutDown)));
        });
        put(&ring, 1);
        ring.shut_down(false, None);
        consumer.join().unwrap();
    });
}

#[test]
fn departure_of_the_last_is_told_to_who_sleeps() {
    check(|| {
        let ring = Arc::new(Kernel::ring(32, 0));
        let holders = Arc::new(AtomicU32::new(1));
        let left = Arc::clone(&holders);
        let consumer = user(2, &ring, move |ring| {
            // Where a queue stands that has waited for one slice.
            let mut waiting = Waiting::lingered(Patience::Endless);
            waiting.departures(&ring.fields().state);
            let mut items = 0;
            while left.load(SeqCst) > 0 {
                match NO_PACKETS
                    .with(|end| ring.get(&mut Vec::new(), None, Inbox(end.as_fd()), &mut waiting))
                {
                    Ok(_) => items += 1,
                    Err(Refused::Slice) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
            // What was put before it left counts still.
            items + rest(ring).len()
        });
        put(&ring, 1);
        // First the hold, then the word, as a handle that is dropped does.
        holders.store(0, SeqCst);
        ring.depart();
        assert_eq!(consumer.join().unwrap(), 1);
    });
}

#[test]
fn who_waits_for_all_tasks_is_woken_by_the_last() {
    check(|| {
        let ring = Arc::new(Kernel::ring(32, 0));
        put(&ring, 1);
        let waiter = user(2, &ring, |ring| {
            ring.wait_until_finished(&mut Waiting::new(Patience::Endless)).unwrap();
            assert_eq!(ring.unfinished(), 0);
        });
        assert!(ring.finish());
        waiter.join().unwrap();
        assert!(!ring.finish());
    });
}

#[test]
fn event_is_set_over_an_item() {
    check(|| {
        let ring = Arc::new(Kernel::ring(32, 0));
        let others = [user(2, &ring, |ring| put(ring, 1)), user(3, &ring, |ring| drop(rest(ring)))];
        ring.watch();
        for other in others {
            other.join().unwrap();
        }
        assert!(ring.len() == 0 || ring.world.is_announced());
    });
}

/// Kills after 0, 1, 2, ... steps, until the operation ends before that, and each time tries every order of steps with at
/// most one switch where none was needed.
fn each_kill(model: impl Fn(usize) -> bool + Sync + Send + Clone + 'static) {
    let mut steps = 0;
    loop {
        let ended = std::sync::Arc::new(std::sync::Mutex::new(false));
        let (model, told) = (model.clone(), std::sync::Arc::clone(&ended));
        check_with(1, move || {
            if !model(steps) {
                *told.lock().unwrap() = true;
            }
        });
        if *ended.lock().unwrap() {
            return;
        }
        steps += 1;
    }
}

#[test]
fn killed_producer_leaves_nobody_asleep() {
    each_kill(|steps| {
        let ring = Arc::new(Kernel::ring(32, 0));
        let consumer = user(2, &ring, get);
        let is_killed = killed_after(steps, &ring.world, || put(&ring, 1));
        let other = user(3, &ring, |ring| put(ring, 2));
        other.join().unwrap();
        let mut items = vec![consumer.join().unwrap()];
        let next = user(4, &ring, rest);
        items.extend(next.join().unwrap());
        assert!(items == [1, 2] || (is_killed && items == [2]), "after {steps}: {items:?}");
        is_killed
    });
}

#[test]
fn killed_consumer_leaves_nobody_asleep() {
    each_kill(|steps| {
        let ring = Arc::new(Kernel::ring(32, 1));
        put(&ring, 1);
        let producer = user(2, &ring, |ring| put(ring, 2));
        let is_killed = killed_after(steps, &ring.world, || {
            get(&ring);
        });
        let other = user(3, &ring, |ring| {
            let first = get(ring);
            if first == 1 { vec![1, get(ring)] } else { vec![first] }
        });
        producer.join().unwrap();
        let items = other.join().unwrap();
        assert!(items == [2] || (is_killed && items == [1, 2]), "after {steps}: {items:?}");
        is_killed
    });
}
