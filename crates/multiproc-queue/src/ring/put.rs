//! Putting a record.

use std::{hint::spin_loop, io::ErrorKind, os::fd::BorrowedFd};

use multiproc_sys::primitive::Ordering::{Acquire, Relaxed, Release, SeqCst};

use super::{
    Refused, Ring, cpu,
    layout::{Header, Kind, OPEN, Position, WORD, difference, span},
    lock::Led,
    patience::{Patience, Waiting},
    world::{Access, Atomic, World},
};

/// What is to be put.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// The payload, at most as long as [`Ring::longest`] says.
    pub(crate) bytes: &'a [u8],
    /// Descriptors that go with it.
    pub(crate) fds: &'a [BorrowedFd<'a>],
    /// The socket that descriptors are sent through.
    pub(crate) outbox: Option<BorrowedFd<'a>>,
    /// True if the payload is the length of the item, and the first descriptor its file.
    pub(crate) in_file: bool,
}

/// Where a record goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Where its header goes: at `head`, or where the mark leads that stands there then.
    header: usize,
    payload: usize,
    /// Where the next header goes.
    end: usize,
}

/// What a record finds.
enum Fit {
    /// Room behind the last record.
    Ahead(Place),
    /// Room at the start.
    Round(Place),
    /// Room, if the ring takes more memory.
    Grow(Place),
    Nowhere,
}

/// So far ahead of a record lines are fetched.
const AHEAD: usize = 256;
/// How many pauses 4 KiB of fresh memory are worth.
const PAUSES: usize = 100;
/// With every so many pauses one looks whether the patience is over.
const BETWEEN: usize = 1000;
/// The room by which the ring grows before it waits for the consumer again.
const LAP: u64 = 64 * 1024;

impl<W: World> Ring<W> {
    /// Puts a record of these bytes and nothing else, if that takes no more than writing them: there is room behind the
    /// last record, and nobody is at it. Returns its number, which is counted modulo 2^28.
    #[inline]
    pub(crate) fn put_at_once(&self, bytes: &[u8]) -> Option<u32> {
        let fields = self.fields();
        let held = fields.put.side.lock_at_once(&self.world)?;
        if fields.state.shutdown.load(SeqCst) | fields.state.watched.load(SeqCst) != OPEN {
            return None;
        }
        let head = Position(fields.head.load(Relaxed));
        let place = self.place_ahead(head, bytes.len())?;
        let record = Record { bytes, fds: &[], outbox: None, in_file: false };
        self.commit(head, place, &record, None).ok()?;
        drop(held);
        Some(head.count())
    }

    /// A place right behind the last record that is known to be free and to have memory.
    #[inline]
    pub(super) fn place_ahead(&self, head: Position, length: usize) -> Option<Place> {
        let put = &self.fields().put;
        let tail = Position(put.tail_seen.load(Relaxed));
        let (payload, end) = span(head.offset(), length);
        let limit = match tail.offset() {
            // Records lie in front of `head` only, or there are none.
            tail if tail <= head.offset() => put.soft.load(Relaxed),
            tail => tail as u64,
        };
        let limit = limit.min(put.reserved.load(Relaxed));
        let fits =
            (end + WORD) as u64 <= limit && difference(head.count(), tail.count()) < self.bound;
        fits.then_some(Place { header: head.offset(), payload, end })
    }

    /// Puts a record, and returns its number.
    pub(crate) fn put(&self, record: &Record<'_>, waiting: &mut Waiting) -> Result<u32, Refused> {
        let fields = self.fields();
        if let Patience::None = waiting.patience
            && self.is_surely_full()
        {
            return Err(Refused::TimedOut);
        }
        let mut held = fields.put.side.lock(&self.world, &fields.get.side, waiting.patience)?;
        loop {
            if held.died {
                self.recover()?;
                held.died = false;
            }
            if fields.state.shutdown.load(SeqCst) != OPEN {
                return Err(Refused::ShutDown);
            }
            let head = Position(fields.head.load(Relaxed));
            let place = self.find_place(head, record, waiting.patience)?;
            if let Some(place) = place {
                self.make_memory(place.end + WORD)?;
                match self.send_packet(record) {
                    Ok(packet) => return self.complete(head, place, record, packet),
                    // A full socket is a full queue.
                    Err(err) if err.kind() == ErrorKind::WouldBlock => {}
                    Err(err) => return Err(Refused::Os(err)),
                }
            }
            let tail = fields.put.tail_seen.load(Relaxed);
            if place.is_some() && Position(tail).count() == head.count() {
                // Of packets that belong to no record, then; a consumer that waits throws them away.
                fields.put.side.nudge(&self.world);
            }
            if waiting.patience.is_over() {
                return Err(Refused::TimedOut);
            }
            let departures = *waiting.departures(&fields.state);
            let look = || {
                fields.tail.load(SeqCst) != tail
                    || fields.state.shutdown.load(SeqCst) != OPEN
                    || fields.state.departures.load(SeqCst) != departures
            };
            if cpu::spin(&self.world, &fields.get_cpu, 0, look) {
                continue;
            }
            let patience = waiting.patience;
            let led = fields.get.side.lead(
                &self.world,
                &fields.put.side,
                waiting.slices(),
                patience,
                look,
            );
            if led == Led::Slice || waiting.has_departed(&fields.state) {
                return Err(Refused::Slice);
            }
        }
    }

    /// Puts a record for which there are room and memory, and announces it to those who watch.
    fn complete(
        &self,
        head: Position,
        place: Place,
        record: &Record<'_>,
        packet: Option<u64>,
    ) -> Result<u32, Refused> {
        let is_watched = self.fields().state.watched.load(SeqCst) != 0;
        if is_watched {
            // Before the record exists, so that a kill right after cannot leave it unannounced.
            self.world.announce();
        }
        self.commit(head, place, record, packet)?;
        if is_watched {
            // And after, for a consumer may have found nothing yet, and taken that one back.
            self.world.announce();
        }
        Ok(head.count())
    }

    /// Writes the record. The last store of a header or mark is what makes it exist.
    #[inline]
    pub(super) fn commit(
        &self,
        head: Position,
        place: Place,
        record: &Record<'_>,
        packet: Option<u64>,
    ) -> Result<(), Refused> {
        let fields = self.fields();
        let kind = Kind { has_packet: packet.is_some(), in_file: record.in_file };
        let length = record.bytes.len() + packet.map_or(0, |_| WORD);
        let payload = self.world.bytes(place.payload, length, Access::Write)?;
        let mut at = 0;
        if let Some(packet) = packet {
            payload.write(0, &packet.to_ne_bytes()).map_err(|_| Refused::Damaged)?;
            at = WORD;
        }
        payload.write(at, record.bytes).map_err(|_| Refused::Damaged)?;
        // By the time that another record goes there, the line has come from where it was read last.
        self.world.prefetch(place.end + AHEAD);
        let next = self.world.word(place.end)?;
        let first = self.world.word(place.header)?;
        let mark = self.world.word(head.offset())?;
        // What lies there from former times must not be taken for the next record.
        next.store(0, Relaxed);
        let header = Header::new(head.count(), length, kind);
        if place.header == head.offset() {
            first.store(header.0, Release);
        } else {
            first.store(header.0, Relaxed);
            mark.store(Header::mark(head.count(), place.header).0, Release);
        }
        let head = Position::new(place.end, head.count().wrapping_add(1));
        fields.head.store(head.0, Release);
        cpu::note(&self.world, &fields.put_cpu, head.count());
        Ok(())
    }

    /// A place for a record, or none if there is no room.
    fn find_place(
        &self,
        head: Position,
        record: &Record<'_>,
        patience: Patience,
    ) -> Result<Option<Place>, Refused> {
        let length = record.bytes.len() + if record.fds.is_empty() { 0 } else { WORD };
        let fields = self.fields();
        let put = &fields.put;
        let wanted = length.saturating_mul(4).min(self.world.capacity()) as u64;
        if put.soft.load(Relaxed) < wanted {
            put.soft.store(wanted, Relaxed);
        }
        let mut pauses = None;
        loop {
            let tail = Position(fields.tail.load(Acquire));
            put.tail_seen.store(tail.0, Relaxed);
            if self.bound <= difference(head.count(), tail.count()) {
                return Ok(None);
            }
            match self.fit(head, tail, length) {
                Fit::Ahead(place) => return Ok(Some(place)),
                Fit::Round(place) => {
                    if self.is_large() && cpu::is_elsewhere(&self.world, &fields.get_cpu) {
                        self.let_drain(head, tail, length, patience);
                    }
                    self.trim_behind(head);
                    put.top.store(0, Relaxed);
                    put.turn.store(head.offset() as u64, Relaxed);
                    put.lap.store(put.soft.load(Relaxed), Relaxed);
                    return Ok(Some(place));
                }
                Fit::Grow(place) => {
                    // First gives a consumer on another core the time that a fresh page would cost, to free the start.
                    let end = place.end as u64;
                    let is_worth = put.lap.load(Relaxed) < end
                        && cpu::is_elsewhere(&self.world, &fields.get_cpu);
                    let most = if is_worth { PAUSES * (1 + length / 4096) } else { 0 };
                    if self.pause_until_moved(tail, pauses.get_or_insert(most), patience) {
                        continue;
                    }
                    if put.lap.load(Relaxed) < end {
                        put.lap.store(end + LAP, Relaxed);
                    }
                    if place.header != head.offset() {
                        put.top.store(place.header as u64, Relaxed);
                    }
                    return Ok(Some(place));
                }
                Fit::Nowhere => return Ok(None),
            }
        }
    }

    /// Where a record of this length would go.
    fn fit(&self, head: Position, tail: Position, length: usize) -> Fit {
        let put = &self.fields().put;
        let span_of = |header| {
            let (payload, end) = span(header, length);
            Place { header, payload, end }
        };
        let ahead = span_of(head.offset());
        let is_below = |place: &Place, limit: usize| place.end + WORD <= limit;
        if head.offset() < tail.offset() {
            if is_below(&ahead, tail.offset()) {
                return Fit::Ahead(ahead);
            }
            // Behind the mark, up to which there are records still.
            let turn = (put.turn.load(Relaxed) as usize).min(self.world.capacity());
            let beyond = span_of(turn / WORD * WORD + WORD);
            let is_free = tail.offset() < beyond.header && is_below(&beyond, self.world.capacity());
            return if is_free { Fit::Grow(beyond) } else { Fit::Nowhere };
        }
        if is_below(&ahead, put.soft.load(Relaxed) as usize) {
            return Fit::Ahead(ahead);
        }
        let top = put.top.load(Relaxed) as usize;
        let may_turn = tail.offset() >= top || head.offset() < top;
        let start = span_of(0);
        if may_turn && is_below(&start, tail.offset()) {
            return Fit::Round(start);
        }
        if is_below(&ahead, self.world.capacity()) { Fit::Grow(ahead) } else { Fit::Nowhere }
    }

    /// Lets a consumer that is at work take what is left of a backlog, before the ring goes round.
    ///
    /// Else producers that are as fast as it keep the ring as large as it has ever become, and all records go by way of
    /// the memory instead of the cache. Ends as soon as the consumer is not at work, or the patience is over: there is
    /// room for the record all the while.
    fn let_drain(&self, head: Position, mut tail: Position, length: usize, patience: Patience) {
        let soft = self.fields().put.soft.load(Relaxed) as usize;
        while tail.offset() <= head.offset()
            && soft < head.offset() - tail.offset()
            && !patience.is_over()
        {
            if !self.pause_until_moved(tail, &mut (PAUSES * (1 + length / 4096)), patience) {
                return;
            }
            tail = Position(self.fields().tail.load(Acquire));
        }
    }

    /// Waits for at most so many pauses, and no longer than the patience lasts, until a consumer has taken something.
    fn pause_until_moved(&self, tail: Position, pauses: &mut usize, patience: Patience) -> bool {
        while *pauses > 0 {
            let is_timed = matches!(patience, Patience::Until(_));
            if is_timed && pauses.is_multiple_of(BETWEEN) && patience.is_over() {
                *pauses = 0;
                return false;
            }
            *pauses -= 1;
            if self.fields().tail.load(Relaxed) != tail.0 {
                return true;
            }
            spin_loop();
        }
        false
    }

    /// After a producer was killed: if its record exists already, counts it. Done twice, it is as if done once.
    pub(super) fn recover(&self) -> Result<(), Refused> {
        let fields = self.fields();
        fields.get.side.forget_leader();
        let head = Position(fields.head.load(Relaxed));
        if let Some((header, offset)) = self.find(head)? {
            let (_, end) = span(offset, header.length());
            self.world.word(end)?;
            fields.head.store(Position::new(end, head.count().wrapping_add(1)).0, Release);
        }
        Ok(())
    }

    /// True where one look without the lock tells that there is no room.
    pub(crate) fn is_surely_full(&self) -> bool {
        let fields = self.fields();
        let tail = Position(fields.tail.load(SeqCst));
        let head = Position(fields.head.load(SeqCst));
        let is_at_bound = self.bound <= difference(head.count(), tail.count())
            && difference(head.count(), tail.count()) < u32::MAX >> 5;
        // A leader that waits for room was there first.
        let is_led = fields.get.side.has_leader() && fields.put.side.is_owned();
        (is_at_bound || is_led) && fields.state.shutdown.load(SeqCst) == OPEN
    }
}
