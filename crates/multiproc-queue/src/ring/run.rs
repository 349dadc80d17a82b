//! Several records by one taking of the lock.

use multiproc_shm::SharedBytes;
use multiproc_sys::primitive::{
    AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

use super::{
    Record, Ring,
    layout::{OPEN, Position, SOFT},
    world::{Atomic, World},
};
use crate::codec::land_behind;

/// Byte strings, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Run {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Run {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes there are in all.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a string that lies in shared memory; false if there is no memory for it.
    fn land_one_more(&mut self, payload: SharedBytes<'_>) -> bool {
        if self.ends.try_reserve(1).is_err() || !land_behind(&mut self.bytes, payload) {
            return false;
        }
        self.ends.push(self.bytes.len());
        true
    }

    /// The strings from the one of this index on.
    pub(crate) fn from(&self, first: usize) -> impl Iterator<Item = &[u8]> {
        (first..self.len()).map(|index| {
            let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
            &self.bytes[start..self.ends[index]]
        })
    }
}

/// A run takes no more of the lock's time than it takes to copy about so many bytes.
const MOST_BYTES: usize = 64 * 1024;

impl<W: World> Ring<W> {
    /// Puts the strings from the one of index `first` on, as far as each takes no more than writing it; returns their
    /// number. Each exists from its own store on, as if they had been put one by one.
    pub(crate) fn put_run(&self, run: &Run, first: usize) -> usize {
        let fields = self.fields();
        let Some(_held) = fields.put.side.lock_at_once(&self.world) else { return 0 };
        if fields.state.shutdown.load(SeqCst) | fields.state.watched.load(SeqCst) != OPEN {
            return 0;
        }
        let (mut count, mut bytes_put) = (0, 0);
        for bytes in run.from(first) {
            let head = Position(fields.head.load(Relaxed));
            let Some(place) = self.place_ahead(head, bytes.len()) else { break };
            let record = Record { bytes, fds: &[], outbox: None, in_file: false };
            if MOST_BYTES < bytes_put || self.commit(head, place, &record, None).is_err() {
                break;
            }
            count += 1;
            bytes_put += bytes.len();
        }
        count
    }

    /// Takes up to `max` records, as far as each is there and takes no more than copying it; returns their number.
    ///
    /// They are taken by one store, so a process that is killed had all of them in its hands or none. A `claim` is set
    /// as by [`get_at_once`](Self::get_at_once), with the number of records less one in its upper half.
    pub(crate) fn get_run(&self, run: &mut Run, max: usize, claim: Option<&AtomicU64>) -> usize {
        let fields = self.fields();
        if max == 0 || !self.is_there(Position(fields.tail.load(Relaxed))) {
            return 0;
        }
        let Some(held) = fields.get.side.lock_at_once(&self.world) else { return 0 };
        if fields.state.shutdown.load(SeqCst) | fields.state.watched.load(SeqCst) != OPEN {
            return 0;
        }
        let tail = Position(fields.tail.load(Relaxed));
        let (mut next, mut count) = (tail, 0);
        while count < max
            && let Some((payload, end)) = self.plain_record(next)
        {
            let is_first = count == 0;
            let fits = is_first || run.bytes() + payload.len() <= MOST_BYTES;
            if !fits || !run.land_one_more(payload) {
                break;
            }
            next = Position::new(end, next.count().wrapping_add(1));
            count += 1;
        }
        if count > 0 {
            self.take_up_to(tail, next, claim);
        }
        drop(held);
        if SOFT < next.offset() {
            self.trim_if_drained();
        }
        count
    }
}
