//! The end of a ring: what is thrown away is done, whoever comes late and whoever is killed.

use super::{
    super::layout::{DISCARDED, Position},
    super::{Relaxed, SeqCst},
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
