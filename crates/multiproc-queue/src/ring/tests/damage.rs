//! What somebody has written over: an error, and never a panic or an access beyond the memory.

use multiproc_shm::{Segment, SharedBytes};
use multiproc_sys::primitive::Ordering::Relaxed;

use super::{
    super::{
        layout::{DATA, Fields, MARGIN, WORD},
        world::World,
    },
    steps::watched,
    *,
};

const CAPACITY: usize = 64 * 1024;

#[test]
fn damage_is_an_error() {
    let ring = small(CAPACITY, 0);
    put(&ring, b"item");
    let fields = ring.fields();
    for position in [u64::MAX, 1 << 62, (64 * 1024 / 8) << 28] {
        fields.tail.store(position, Relaxed);
        assert!(matches!(get_within(&ring, Patience::None), Err(Refused::Damaged)));
    }
    fields.tail.store(0, Relaxed);
    ring.world.word(0).unwrap().store(1 << 63 | 0xffff_fff0, Relaxed);
    assert!(matches!(get_within(&ring, Patience::None), Err(Refused::Damaged)));
}

/// All that can be asked of a ring without waiting; what it answers does not matter.
fn use_in_every_way(ring: &Ring, outbox: &OwnedFd, inbox: &OwnedFd) {
    let null = std::fs::File::open("/dev/null").unwrap();
    let fds = [null.as_fd()];
    let with_file =
        Record { bytes: b"file", fds: &fds, outbox: Some(outbox.as_fd()), in_file: false };
    let long = vec![7; CAPACITY / 4];
    let mut run = Run::default();
    for _ in 0..6 {
        let _ = put_within(ring, b"short", Patience::None);
        let _ = put_the_long_way(ring, &long, Patience::None);
        let _ = ring.put(&with_file, &mut Waiting::new(Patience::None));
        run.clear();
        run.push(b"one");
        let _ = ring.put_run(&run, 0);
        let _ = (ring.len(), ring.unfinished(), ring.finish(), ring.is_surely_full());
        let _ = get_with(ring, Patience::None, inbox);
        let _ = get_the_long_way(ring, Patience::None, inbox);
        run.clear();
        let _ = ring.get_run(&mut run, 2, None);
        let _ = ring.linger();
        ring.rest();
    }
    ring.watch();
    ring.depart();
    ring.shut_down(true, Some(Inbox(inbox.as_fd())));
}

#[test]
fn no_field_is_believed() {
    watched(|| {
        let (outbox, inbox) = multiproc_sys::packet::pair().unwrap();
        for index in 0..size_of::<Fields>() / WORD {
            for value in [u64::MAX, u64::MAX >> 1, 1 << 40] {
                for is_used in [false, true] {
                    let ring = small(CAPACITY, 0);
                    if is_used {
                        let long = vec![7; CAPACITY / 4];
                        (0..3).for_each(|_| put(&ring, &long));
                        get(&ring);
                    }
                    damage(ring.world.segment.bytes(), index * WORD, value);
                    use_in_every_way(&ring, &outbox, &inbox);
                }
            }
        }
    });
}

fn damage(page: SharedBytes<'_>, at: usize, value: u64) {
    page.write(at, &value.to_ne_bytes()).unwrap();
}

#[test]
fn a_segment_without_room_for_records_is_refused() {
    let segment = Segment::sparse(DATA + 2 * MARGIN).unwrap();
    assert!(Ring::in_segment(segment, 0).is_err());
    let ring = small(4 * MARGIN, 0);
    assert!(size_of::<u64>() < ring.longest());
}
