//! The end of a ring: what is thrown away is done, whoever comes late and whoever is killed.

use std::{mem, time::Duration};

use multiproc_sys::primitive::AtomicU32;

use super::{
    super::layout::{DISCARDED, Position},
    super::{Relaxed, SeqCst, pending},
    steps::{every_nth_step, step_so_far, watched},
    victim::Victim,
    *,
};

#[test]
fn what_is_thrown_away_is_done() {
    let ring = small(1 << 20, 0);
    for _ in 0..3 {
        put(&ring, b"task");
    }
    get(&ring);
    ring.shut_down(true, None);
    assert_eq!((ring.len(), ring.unfinished()), (0, 0));
    assert!(ring.finish(), "of the one that was taken before");
    // A producer that had looked before the end.
    let fields = ring.fields();
    let head = Position(fields.head.load(Relaxed));
    fields.put.tail_seen.store(fields.tail.load(Relaxed), Relaxed);
    let place = ring.place_ahead(head, 4).unwrap();
    let late = Record { bytes: b"late", fds: &[], outbox: None, in_file: false };
    ring.commit(head, place, &late, None).unwrap();
    assert_eq!((ring.len(), ring.unfinished()), (0, 0));
    ring.wait_until_finished(&mut Waiting::new(Patience::None)).unwrap();
}

#[test]
fn shut_down_killed_leaves_nothing_unfinished() {
    watched(|| {
        every_nth_step(31, |count| {
            let ring = small(1 << 20, 0);
            put(&ring, b"task");
            put(&ring, b"task");
            let victim = Victim::new(|| ring.shut_down(true, None));
            let goes_on = step_so_far(&victim, count);
            if goes_on {
                victim.kill();
            }
            if ring.fields().state.shutdown.load(SeqCst) == DISCARDED {
                ring.wait_until_finished(&mut Waiting::new(Patience::None)).unwrap();
            } else {
                assert_eq!((ring.len(), ring.unfinished()), (2, 2), "after {count}");
            }
            goes_on
        });
    });
}

/// Takes the lock of the producers, for good.
fn hold_the_lock_of_producers(ring: &Ring) {
    let fields = ring.fields();
    mem::forget(fields.put.side.lock(&ring.world, &fields.get.side, Patience::None));
}

#[test]
fn the_end_is_found_behind_a_producer_that_died_unnoticed() {
    static OTHER: AtomicU32 = AtomicU32::new(0);
    watched(|| {
        let ring = small(1 << 20, 0);
        put(&ring, b"item");
        let victim = Victim::new(|| {
            hold_the_lock_of_producers(&ring);
            // The kernel looks at this word only, as if it had no list.
            mem::forget(pending::begin(&OTHER));
        });
        while victim.step() {}
        ring.shut_down(false, None);
        assert_eq!(get(&ring), b"item");
        let refused = get_within(&ring, Patience::Endless);
        assert!(matches!(refused, Err(Refused::ShutDown)), "{refused:?}");
    });
}

#[test]
fn time_runs_out_while_a_producer_is_at_it_at_the_end() {
    let ring = small(1 << 20, 0);
    hold_the_lock_of_producers(&ring);
    ring.shut_down(false, None);
    let refused = get_within(&ring, Patience::of(Duration::from_millis(20)));
    assert!(matches!(refused, Err(Refused::TimedOut)), "{refused:?}");
}
