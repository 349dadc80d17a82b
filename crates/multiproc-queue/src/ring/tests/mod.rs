//! The ring in one process, and under kills.

mod basics;
mod damage;
mod ends;
mod kernel;
mod model;
mod steps;
mod victim;

use std::cell::Cell;

use std::os::fd::{AsFd, OwnedFd};

use super::{Inbox, Patience, Record, Refused, Ring, Run, Taken, Waiting};

thread_local! {
    /// True in threads that never look again by themselves, so that a wake-up that is lost is found out.
    pub(super) static WITHOUT_SLICES: Cell<bool> = const { Cell::new(false) };
    /// The end of a socket that nobody sends to.
    static NO_PACKETS: OwnedFd = multiproc_sys::packet::pair().unwrap().0;
}

/// A ring in as little memory as it takes.
pub(super) fn small(capacity: usize, bound: usize) -> Ring {
    let segment = multiproc_shm::Segment::sparse(super::layout::DATA + capacity).unwrap();
    Ring::in_segment(segment, bound).unwrap()
}

/// As a queue does it: by the short way, and else by the long one.
pub(super) fn put_within(ring: &Ring, bytes: &[u8], patience: Patience) -> Result<u32, Refused> {
    match ring.put_at_once(bytes) {
        Some(number) => Ok(number),
        None => put_the_long_way(ring, bytes, patience),
    }
}

pub(super) fn put_the_long_way(
    ring: &Ring,
    bytes: &[u8],
    patience: Patience,
) -> Result<u32, Refused> {
    let record = Record { bytes, fds: &[], outbox: None, in_file: false };
    let mut waiting = Waiting::new(patience);
    loop {
        match ring.put(&record, &mut waiting) {
            Err(Refused::Slice) => {}
            other => return other,
        }
    }
}

pub(super) fn get_within(ring: &Ring, patience: Patience) -> Result<(Vec<u8>, Taken), Refused> {
    get_with(ring, patience, &NO_PACKETS.with(|end| end.try_clone().unwrap()))
}

pub(super) fn get_with(
    ring: &Ring,
    patience: Patience,
    inbox: &OwnedFd,
) -> Result<(Vec<u8>, Taken), Refused> {
    let mut bytes = Vec::new();
    let is_patient = !matches!(patience, Patience::None);
    if ring.get_at_once(&mut bytes, None)
        || (is_patient && ring.linger() && ring.get_at_once(&mut bytes, None))
    {
        return Ok((bytes, Taken { in_file: false, fds: Vec::new(), is_complete: true }));
    }
    get_the_long_way(ring, patience, inbox)
}

pub(super) fn get_the_long_way(
    ring: &Ring,
    patience: Patience,
    inbox: &OwnedFd,
) -> Result<(Vec<u8>, Taken), Refused> {
    let (mut bytes, mut waiting) = (Vec::new(), Waiting::lingered(patience));
    loop {
        match ring.get(&mut bytes, None, Inbox(inbox.as_fd()), &mut waiting) {
            Err(Refused::Slice) => {}
            other => return other.map(|taken| (bytes, taken)),
        }
    }
}

pub(super) fn put(ring: &Ring, bytes: &[u8]) {
    put_within(ring, bytes, Patience::Endless).unwrap();
}

pub(super) fn get(ring: &Ring) -> Vec<u8> {
    get_within(ring, Patience::Endless).unwrap().0
}

pub(super) fn try_get(ring: &Ring) -> Option<Vec<u8>> {
    match get_within(ring, Patience::None) {
        Ok((bytes, _)) => Some(bytes),
        Err(Refused::TimedOut) => None,
        Err(other) => panic!("{other:?}"),
    }
}

pub(super) fn try_put(ring: &Ring, bytes: &[u8]) -> bool {
    match put_within(ring, bytes, Patience::None) {
        Ok(_) => true,
        Err(Refused::TimedOut) => false,
        Err(other) => panic!("{other:?}"),
    }
}
