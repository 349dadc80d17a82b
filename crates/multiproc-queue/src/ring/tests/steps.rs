//! Kills after every instruction of put and get, with others asleep: they go on at once, and nothing is lost.
//!
//! The others have no slices, so a wake-up that nobody delivers is a test that never ends, and the watchdog ends it.

use std::{
    env,
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant, UNIX_EPOCH},
};

use multiproc_sys::primitive::AtomicU64;

use super::{
    super::{SeqCst, layout::Position},
    victim::{Helper, Victim},
    *,
};

/// Ends the test run if `test` hangs.
pub(super) fn watched(test: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    match wait.recv_timeout(Duration::from_secs(300)) {
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => thread.join().unwrap(),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            let ring = WATCHED.lock().unwrap().take();
            let ring = ring.as_ref().map(|ring| ring.fields());
            let _ = writeln!(io::stderr(), "a kill leaves somebody asleep: {ring:?}");
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

/// Kills after 0, 1, 2, ... instructions, until the operation ends before that; of a long one only after so many each,
/// and after every one where `MULTIPROC_TEST_POINTS` is 0.
pub(super) fn every_nth_step(stride: usize, mut kill_after: impl FnMut(usize) -> bool) {
    let all = env::var("MULTIPROC_TEST_POINTS").is_ok_and(|points| points == "0");
    let stride = if all { 1 } else { stride };
    // Others each time, so that in time all are tried.
    let mut count = UNIX_EPOCH.elapsed().map_or(0, |age| age.subsec_nanos()) as usize % stride;
    while kill_after(count) {
        count += stride;
    }
    assert!(100 < count, "the operation takes {count} instructions");
}

pub(super) fn step_so_far(victim: &Victim, count: usize) -> bool {
    (0..count).all(|_| victim.step())
}

fn killed_put(others: Others, stride: usize, put_one: fn(&Ring)) {
    let ring = Arc::new(small(1 << 20, 0));
    *WATCHED.lock().unwrap() = Some(Arc::clone(&ring));
    // So that there is memory for what is put in the short way.
    put(&ring, b"before");
    get(&ring);
    let (leader, locker) = (Helper::new(), Helper::new());
    every_nth_step(stride, |count| {
        let slot = Position(ring.fields().tail.load(SeqCst));
        let (tell, told) = mpsc::channel();
        if others != Others::Nobody {
            let (shared, tell) = (Arc::clone(&ring), tell.clone());
            leader.start(move || tell.send(get(&shared)).unwrap());
            leader.settle(&ring);
        }
        let victim = Victim::new(|| put_one(&ring));
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
        let counted = ring.len() as usize;
        let left: Vec<_> = std::iter::from_fn(|| try_get(&ring)).collect();
        assert_eq!(counted, left.len(), "after {count}");
        items.extend(told.try_iter());
        items.extend(left);
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

fn killed_get(others: Others, stride: usize, get_one: fn(&Ring)) {
    let ring = Arc::new(small(1 << 20, 1));
    *WATCHED.lock().unwrap() = Some(Arc::clone(&ring));
    let (leader, locker) = (Helper::new(), Helper::new());
    every_nth_step(stride, |count| {
        put(&ring, b"first");
        if others != Others::Nobody {
            let shared = Arc::clone(&ring);
            leader.start(move || put(&shared, b"second"));
            leader.settle(&ring);
        }
        let victim = Victim::new(|| get_one(&ring));
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

fn put_shortly(ring: &Ring) {
    assert!(ring.put_at_once(b"victim's").is_some());
}

fn put_long(ring: &Ring) {
    put_the_long_way(ring, b"victim's", Patience::Endless).unwrap();
}

fn get_shortly(ring: &Ring) {
    assert!(ring.get_at_once(&mut Vec::new(), None));
}

fn get_long(ring: &Ring) {
    let inbox = NO_PACKETS.with(|end| end.try_clone().unwrap());
    get_the_long_way(ring, Patience::Endless, &inbox).unwrap();
}

#[test]
fn put_killed_alone() {
    watched(|| killed_put(Others::Nobody, 1, put_shortly));
    watched(|| killed_put(Others::Nobody, 3, put_long));
}

#[test]
fn put_killed_before_a_sleeping_leader() {
    watched(|| killed_put(Others::Leader, 1, put_shortly));
    watched(|| killed_put(Others::Leader, 3, put_long));
}

#[test]
fn put_killed_before_a_sleeping_leader_and_a_locker() {
    watched(|| killed_put(Others::LeaderAndLocker, 1, put_shortly));
    watched(|| killed_put(Others::LeaderAndLocker, 3, put_long));
}

#[test]
fn get_killed_alone() {
    watched(|| killed_get(Others::Nobody, 1, get_shortly));
    watched(|| killed_get(Others::Nobody, 3, get_long));
}

#[test]
fn get_killed_before_a_sleeping_leader() {
    watched(|| killed_get(Others::Leader, 1, get_shortly));
    watched(|| killed_get(Others::Leader, 3, get_long));
}

#[test]
fn get_killed_before_a_sleeping_leader_and_a_locker() {
    watched(|| killed_get(Others::LeaderAndLocker, 1, get_shortly));
    watched(|| killed_get(Others::LeaderAndLocker, 3, get_long));
}

#[test]
fn put_of_several_killed_leaves_the_first_of_them() {
    watched(|| {
        let ring = small(1 << 20, 0);
        put(&ring, b"before");
        get(&ring);
        let mut run = Run::default();
        let strings: [&[u8]; 3] = [b"one", b"two", b"and three"];
        strings.into_iter().for_each(|string| run.push(string));
        every_nth_step(5, |count| {
            let victim = Victim::new(|| assert_eq!(ring.put_run(&run, 0), 3));
            let goes_on = step_so_far(&victim, count);
            if goes_on {
                victim.kill();
            }
            put(&ring, b"ours");
            let items: Vec<_> = std::iter::from_fn(|| try_get(&ring)).collect();
            let there = items.len() - 1;
            assert!(items[..there] == strings[..there] && items[there] == b"ours", "{items:?}");
            assert!(goes_on || there == 3);
            goes_on
        });
    });
}

#[test]
fn get_of_several_killed_takes_all_or_none() {
    watched(|| {
        let ring = small(1 << 20, 0);
        let strings: [&[u8]; 3] = [b"one", b"two", b"and three"];
        // With room for them, so that the victim's steps are not those of the allocator.
        let mut run = Run::default();
        strings.into_iter().for_each(|string| run.push(string));
        run.clear();
        every_nth_step(5, |count| {
            strings.into_iter().for_each(|string| put(&ring, string));
            let victim = Victim::new(|| assert_eq!(ring.get_run(&mut run, 9, None), 3));
            let goes_on = step_so_far(&victim, count);
            if goes_on {
                victim.kill();
            }
            let items: Vec<_> = std::iter::from_fn(|| try_get(&ring)).collect();
            assert!(items.is_empty() || items == strings, "after {count}: {items:?}");
            assert!(goes_on || items.is_empty());
            goes_on
        });
    });
}

/// Kills a taking of the first of `there` many records, each time with a claim: what is gone is what was claimed.
fn killed_claim(there: u32, take: fn(&Ring, &AtomicU64)) {
    let ring = small(1 << 20, 0);
    let segment = multiproc_shm::Segment::new(4096).unwrap();
    let claim = segment.bytes().atomic_u64(0).unwrap();
    every_nth_step(3, |count| {
        claim.store(0, SeqCst);
        let numbers: Vec<_> =
            (0..there).map(|_| put_within(&ring, b"item", Patience::None).unwrap()).collect();
        let victim = Victim::new(|| take(&ring, claim));
        let goes_on = step_so_far(&victim, count);
        if goes_on {
            victim.kill();
        }
        let left = std::iter::from_fn(|| try_get(&ring)).count() as u32;
        let claimed = claim.load(SeqCst);
        if left < there {
            assert_eq!(left, 0, "after {count}");
            let whole = u64::from(there - 1) << 32 | (u64::from(numbers[0]) + 1);
            assert_eq!(claimed, whole, "after {count}");
        }
        assert!(goes_on || left == 0);
        goes_on
    });
}

#[test]
fn get_killed_with_an_item_has_claimed_it() {
    watched(|| {
        killed_claim(1, |ring, claim| assert!(ring.get_at_once(&mut Vec::new(), Some(claim))));
    });
    watched(|| {
        killed_claim(1, |ring, claim| {
            let inbox = NO_PACKETS.with(|end| end.try_clone().unwrap());
            let waiting = &mut Waiting::lingered(Patience::Endless);
            ring.get(&mut Vec::new(), Some(claim), Inbox(inbox.as_fd()), waiting).unwrap();
        });
    });
    watched(|| {
        killed_claim(3, |ring, claim| {
            assert_eq!(ring.get_run(&mut Run::default(), 9, Some(claim)), 3);
        });
    });
}

/// How many steps of the kernel's calls for descriptors are left out at a time.
const STRIDE: usize = 211;

fn with_file<'a>(bytes: &'a [u8], fds: &'a [BorrowedFd<'a>], outbox: &'a OwnedFd) -> Record<'a> {
    Record { bytes, fds, outbox: Some(outbox.as_fd()), in_file: false }
}

fn put_with_file(ring: &Ring, bytes: &[u8], outbox: &OwnedFd) {
    let null = File::open("/dev/null").unwrap();
    let fds = [null.as_fd()];
    let waiting = &mut Waiting::new(Patience::Endless);
    ring.put(&with_file(bytes, &fds, outbox), waiting).unwrap();
}

/// Takes all there is, and checks that each item has its descriptor.
fn drain_with_files(ring: &Ring, inbox: &OwnedFd) -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    while let Ok((bytes, taken)) = get_with(ring, Patience::None, inbox) {
        assert!(taken.is_complete && taken.fds.len() == 1, "{bytes:?} without its descriptor");
        items.push(bytes);
    }
    items
}

#[test]
fn put_of_descriptors_killed() {
    watched(|| {
        let ring = small(1 << 20, 0);
        let (outbox, inbox) = multiproc_sys::packet::pair().unwrap();
        every_nth_step(STRIDE, |count| {
            let victim = Victim::new(|| put_with_file(&ring, b"victim's", &outbox));
            let goes_on = step_so_far(&victim, count);
            if goes_on {
                victim.kill();
            }
            put_with_file(&ring, b"ours", &outbox);
            let items = drain_with_files(&ring, &inbox);
            assert!(items == [b"ours"] || items == [&b"victim's"[..], b"ours"], "{items:?}");
            goes_on
        });
    });
}

#[test]
fn get_of_descriptors_killed() {
    watched(|| {
        let ring = small(1 << 20, 0);
        let (outbox, inbox) = multiproc_sys::packet::pair().unwrap();
        every_nth_step(STRIDE, |count| {
            put_with_file(&ring, b"first", &outbox);
            put_with_file(&ring, b"second", &outbox);
            let victim = Victim::new(|| drop(get_with(&ring, Patience::Endless, &inbox)));
            let goes_on = step_so_far(&victim, count);
            if goes_on {
                victim.kill();
            }
            let items = drain_with_files(&ring, &inbox);
            assert!(items == [b"second"] || items == [&b"first"[..], b"second"], "{items:?}");
            goes_on
        });
    });
}

fn is_announced(ring: &Ring) -> bool {
    multiproc_sys::poll::wait_readable(ring.as_fd(), Some(Instant::now())).unwrap()
}

#[test]
fn put_killed_is_announced() {
    watched(|| {
        let ring = small(1 << 20, 0);
        ring.watch();
        every_nth_step(3, |count| {
            let victim = Victim::new(|| put(&ring, b"victim's"));
            let goes_on = step_so_far(&victim, count);
            // Somebody looks meanwhile, and may clear the event.
            drop(try_get(&ring));
            if goes_on {
                victim.kill();
            }
            assert!(is_announced(&ring) || ring.len() == 0, "after {count}");
            while try_get(&ring).is_some() {}
            assert!(!is_announced(&ring), "after {count}");
            goes_on
        });
    });
}

#[test]
fn get_killed_leaves_the_rest_announced() {
    watched(|| {
        let ring = small(1 << 20, 0);
        ring.watch();
        every_nth_step(3, |count| {
            put(&ring, b"first");
            let victim = Victim::new(|| drop(get(&ring)));
            let goes_on = step_so_far(&victim, count);
            // While the victim may be between clearing and looking again.
            if !ring.fields().put.side.is_owned() {
                put(&ring, b"second");
            }
            if goes_on {
                victim.kill();
            }
            assert!(is_announced(&ring), "after {count}");
            while try_get(&ring).is_some() {}
            goes_on
        });
    });
}
