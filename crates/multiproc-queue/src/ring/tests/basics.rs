//! Records of all sizes, bounds, growth, the end, memory.

use std::{
    collections::VecDeque,
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use multiproc_sys::primitive::{AtomicBool, Ordering::SeqCst};
use proptest::prelude::*;

use super::{steps::watched, victim::Helper, *};
use crate::ring::layout::SOFT;

#[test]
fn records_of_every_length_come_out_in_order() {
    let ring = Ring::new(0).unwrap();
    for length in (0..600).chain([4095, 4096, 4097, 100_000, 1 << 20, 5 << 20]) {
        let sent: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        put(&ring, &sent);
        put(&ring, b"next");
        assert_eq!(ring.len(), 2);
        assert!(get(&ring) == sent, "{length} bytes");
        assert_eq!(get(&ring), b"next");
        assert_eq!(try_get(&ring), None);
    }
}

#[test]
fn bound_is_exact() {
    let ring = Ring::new(3).unwrap();
    for round in 0..100_000u32 {
        let number = round.to_ne_bytes();
        assert!((0..3).all(|_| try_put(&ring, &number)));
        assert!(!try_put(&ring, &number));
        assert_eq!(ring.len(), 3);
        assert!((0..3).all(|_| try_get(&ring).as_deref() == Some(&number[..])));
        assert_eq!(try_get(&ring), None);
        assert_eq!(ring.len(), 0);
    }
}

#[test]
fn full_ring_refuses_and_goes_on() {
    let ring = small(64 * 1024, 0);
    for length in [0, 8, 100, 1000, ring.longest()] {
        let item = vec![7; length];
        let count = (0..).take_while(|_| try_put(&ring, &item)).count();
        assert!(0 < count);
        assert_eq!(ring.len() as usize, count);
        for _ in 0..count {
            assert_eq!(get(&ring), item);
        }
        assert_eq!(try_get(&ring), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_mix_is_a_queue(
        capacity in 1usize..64, bound in 0usize..20,
        steps in proptest::collection::vec((any::<bool>(), 0usize..3000), 1..600)
    ) {
        let ring = small(capacity * 4096, bound);
        let mut model = VecDeque::new();
        for (index, (is_put, length)) in steps.into_iter().enumerate() {
            if is_put {
                let item = vec![index as u8; length.min(ring.longest())];
                if try_put(&ring, &item) {
                    model.push_back(item);
                } else {
                    prop_assert!(!model.is_empty());
                }
            } else {
                prop_assert_eq!(try_get(&ring), model.pop_front());
            }
            prop_assert_eq!(ring.len() as usize, model.len());
            prop_assert!(bound == 0 || model.len() <= bound);
        }
    }
}

#[test]
fn waiting_ends_in_time_and_with_the_item() {
    let ring = Arc::new(Ring::new(1).unwrap());
    let before = Instant::now();
    let patience = || Patience::of(Duration::from_millis(50));
    assert!(matches!(get_within(&ring, patience()), Err(Refused::TimedOut)));
    assert!(Duration::from_millis(50) <= before.elapsed());
    put(&ring, b"one");
    assert!(matches!(put_within(&ring, b"two", patience()), Err(Refused::TimedOut)));
    assert!(Duration::from_millis(100) <= before.elapsed());

    let other = Arc::clone(&ring);
    let producer = thread::spawn(move || (0..1000u32).for_each(|n| put(&other, &n.to_ne_bytes())));
    assert_eq!(get(&ring), b"one");
    for number in 0..1000u32 {
        assert_eq!(get(&ring), number.to_ne_bytes());
    }
    producer.join().unwrap();
}

#[test]
fn every_item_arrives_once_and_in_its_producers_order() {
    for bound in [0, 1, 50] {
        let ring = Ring::new(bound).unwrap();
        let received = thread::scope(|scope| {
            for producer in 0..4u32 {
                let ring = &ring;
                scope.spawn(move || {
                    for number in 0..5000u32 {
                        put(ring, &[producer.to_ne_bytes(), number.to_ne_bytes()].concat());
                    }
                });
            }
            let consumers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..5000).map(|_| get(&ring)).collect::<Vec<_>>()))
                .collect();
            consumers.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let mut counts = [0; 4];
        for consumer in received {
            let mut last = [None; 4];
            for item in consumer {
                let producer = usize::from(item[0]);
                let number = u32::from_ne_bytes(item[4..].try_into().unwrap());
                assert!(last[producer] < Some(number), "out of order");
                last[producer] = Some(number);
                counts[producer] += 1;
            }
        }
        assert_eq!(counts, [5000; 4]);
    }
}

#[test]
fn memory_is_given_back() {
    let ring = Ring::new(0).unwrap();
    let item = vec![1; 10_000];
    for _ in 0..3 {
        for _ in 0..3000 {
            put(&ring, &item);
        }
        assert!(30_000_000 < ring.memory());
        for _ in 0..3000 {
            assert_eq!(get(&ring), item);
        }
        let left = ring.memory();
        assert!(left < 2 * SOFT as u64, "{left} bytes are left");
    }
    ring.rest();
    assert!(ring.memory() < SOFT as u64 + 100_000);
}

#[test]
fn put_in_time_does_not_wait_until_a_backlog_is_drained() {
    watched(|| {
        let ring = Ring::new(0).unwrap();
        let item = |number: usize| vec![number as u8; 10_000];
        (0..200).for_each(|number| put(&ring, &item(number)));
        (0..2).for_each(|number| assert_eq!(get(&ring), item(number)));
        let fields = ring.fields();
        let before = fields.tail.load(SeqCst);
        assert_eq!(get(&ring), item(2));
        let after = fields.tail.load(SeqCst);
        // A consumer that seems to be at work, on another core, and never gets anywhere.
        fields.get_cpu.store(u32::MAX, SeqCst);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(SeqCst) {
                    fields.tail.store(before, SeqCst);
                    fields.tail.store(after, SeqCst);
                }
            });
            let patience = Patience::of(Duration::from_millis(5));
            put_the_long_way(&ring, &item(200), patience).unwrap();
            is_over.store(true, SeqCst);
        });
        (3..=200).for_each(|number| assert_eq!(get(&ring), item(number)));
        assert_eq!(try_get(&ring), None);
    });
}

#[test]
fn flow_stays_below_the_soft_limit() {
    let ring = Ring::new(0).unwrap();
    for length in [1000, 100_000] {
        for _ in 0..1000 {
            put(&ring, &vec![1; length]);
            put(&ring, &vec![2; length]);
            get(&ring);
            get(&ring);
        }
        let most = (SOFT.max(4 * length) * 5 / 4 + 100_000) as u64;
        assert!(ring.memory() < most, "{} bytes", ring.memory());
    }
}

/// A thread that waits on the ring, asleep.
fn waiter(
    ring: &Arc<Ring>,
    tell: &mpsc::Sender<Option<Refused>>,
    wait: fn(&Ring) -> Option<Refused>,
) -> Helper {
    let (helper, shared, tell) = (Helper::new(), Arc::clone(ring), tell.clone());
    helper.start(move || tell.send(wait(&shared)).unwrap());
    helper.settle(ring);
    helper
}

#[test]
fn shut_down_ends_all_waiting() {
    watched(|| [false, true].into_iter().for_each(shut_down_before_sleepers));
}

fn shut_down_before_sleepers(discard: bool) {
    let (empty, full) = (Arc::new(Ring::new(0).unwrap()), Arc::new(Ring::new(1).unwrap()));
    put(&full, b"one");
    let (tell, told) = mpsc::channel();
    let helpers: Vec<_> = (0..3)
        .flat_map(|_| {
            [
                waiter(&empty, &tell, |ring| get_within(ring, Patience::Endless).err()),
                waiter(&full, &tell, |ring| put_within(ring, b"two", Patience::Endless).err()),
            ]
        })
        .collect();
    empty.shut_down(discard, None);
    full.shut_down(discard, None);
    for _ in &helpers {
        let refused = told.recv().unwrap();
        assert!(matches!(refused, Some(Refused::ShutDown)), "{refused:?}");
    }
    let last = get_within(&full, Patience::Endless);
    assert_eq!(last.is_ok(), !discard);
    assert!(matches!(get_within(&full, Patience::None), Err(Refused::ShutDown)));
    assert_eq!(full.len(), 0);
}

#[test]
fn descriptors_arrive_with_their_record() {
    let ring = Ring::new(0).unwrap();
    let (outbox, inbox) = multiproc_sys::packet::pair().unwrap();
    let file = File::open("/dev/null").unwrap();
    let fds = [file.as_fd(); 3];
    fn record<'a>(bytes: &'a [u8], fds: &'a [BorrowedFd<'a>], outbox: &'a OwnedFd) -> Record<'a> {
        Record { bytes, fds, outbox: Some(outbox.as_fd()), in_file: false }
    }
    for round in 0..300 {
        let bytes = [round as u8; 5];
        ring.put(&record(&bytes, &fds[..round % 4], &outbox), &mut Waiting::new(Patience::None))
            .unwrap();
        if round % 7 == 0 {
            // What a producer leaves that is killed before its header.
            ring.send_packet(&record(&bytes, &fds[..1], &outbox)).unwrap();
        }
        let (got, taken) = get_with(&ring, Patience::None, &inbox).unwrap();
        assert_eq!((got, taken.fds.len(), taken.is_complete), (bytes.to_vec(), round % 4, true));
    }
    // A socket full of what belongs to no record is no full queue for ever.
    while ring.send_packet(&record(b"", &fds[..1], &outbox)).is_ok() {}
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut waiting = Waiting::new(Patience::Endless);
            while matches!(
                ring.put(&record(b"last", &fds, &outbox), &mut waiting),
                Err(Refused::Slice)
            ) {}
        });
        let (got, taken) = get_with(&ring, Patience::Endless, &inbox).unwrap();
        assert_eq!((got.as_slice(), taken.fds.len()), (&b"last"[..], 3));
    });
}

#[test]
fn descriptors_that_never_fit_are_an_error() {
    let ring = Ring::new(0).unwrap();
    let (outbox, inbox) = multiproc_sys::packet::pair().unwrap();
    let file = File::open("/dev/null").unwrap();
    let fds = vec![file.as_fd(); 200_000];
    let record = Record { bytes: b"", fds: &fds, outbox: Some(outbox.as_fd()), in_file: false };
    let put_it = || {
        let waiting = &mut Waiting::new(Patience::Endless);
        loop {
            match ring.put(&record, waiting) {
                Err(Refused::Slice) => {}
                other => return other,
            }
        }
    };
    assert!(matches!(put_it(), Err(Refused::Os(_))));
    put(&ring, b"item");
    thread::scope(|scope| {
        let putter = scope.spawn(put_it);
        assert_eq!(get_with(&ring, Patience::Endless, &inbox).unwrap().0, b"item");
        assert!(matches!(putter.join().unwrap(), Err(Refused::Os(_))));
    });
}

#[test]
fn event_is_readable_exactly_while_there_are_items() {
    let ring = Ring::new(0).unwrap();
    put(&ring, b"before");
    ring.watch();
    let readable =
        || multiproc_sys::poll::wait_readable(ring.as_fd(), Some(Instant::now())).unwrap();
    assert!(readable());
    put(&ring, b"after");
    get(&ring);
    assert!(readable());
    get(&ring);
    assert!(!readable());
    put(&ring, b"again");
    assert!(readable());
    get(&ring);
    ring.shut_down(false, None);
    assert!(readable(), "the end is something to look at");
}

#[test]
fn tasks_are_counted_from_the_put() {
    let ring = Ring::new(0).unwrap();
    assert!(!ring.finish());
    for _ in 0..10 {
        put(&ring, b"task");
    }
    assert_eq!(ring.unfinished(), 10);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut waiting = Waiting::new(Patience::Endless);
                while matches!(ring.wait_until_finished(&mut waiting), Err(Refused::Slice)) {}
                assert_eq!(ring.unfinished(), 0);
            });
        }
        for _ in 0..10 {
            get(&ring);
            assert!(ring.finish());
        }
    });
    assert!(!ring.finish());
}

#[test]
fn ring_travels_and_is_checked() {
    let ring = Ring::new(5).unwrap();
    put(&ring, b"item");
    let copy: Ring = multiproc_wire::encode(&ring).unwrap().decode().unwrap();
    assert_eq!(copy.identity(), ring.identity());
    assert_eq!(copy.bound(), Some(5));
    assert_eq!(get(&copy), b"item");
    let other = multiproc_shm::Segment::new(1 << 20).unwrap();
    let null = || {
        multiproc_wire::Handle::from(std::os::fd::OwnedFd::from(File::open("/dev/null").unwrap()))
    };
    let message = multiproc_wire::encode(&(other, null())).unwrap();
    assert!(message.decode::<Ring>().is_err());
}

#[test]
fn call_within_a_call_is_refused() {
    let ring = Ring::new(0).unwrap();
    put(&ring, b"item");
    let fields = ring.fields();
    // As a signal handler finds it that has interrupted a call of its thread.
    let held = fields.put.side.lock_at_once(&ring.world).unwrap();
    assert!(matches!(put_within(&ring, b"item", Patience::Endless), Err(Refused::Reentered)));
    drop(held);
    let held = fields.get.side.lock_at_once(&ring.world).unwrap();
    assert!(matches!(get_within(&ring, Patience::Endless), Err(Refused::Reentered)));
    drop(held);
    put(&ring, b"next");
    assert_eq!((get(&ring), get(&ring)), (b"item".to_vec(), b"next".to_vec()));
}
