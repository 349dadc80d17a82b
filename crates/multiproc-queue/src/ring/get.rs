//! Taking a record.

use std::hint::spin_loop;

use multiproc_shm::SharedBytes;
use multiproc_sys::primitive::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
};

use super::{
    Descriptors, Landing, Refused, Ring, cpu,
    layout::{DISCARDED, ENDED, Header, OPEN, Position, SOFT, WORD, difference, span},
    lock::Led,
    packets::Inbox,
    patience::{Patience, Waiting},
    world::{Access, Atomic, World},
};

/// For how many pauses a consumer lets producers be at most.
const MOST_CALM: u32 = 15;

/// With every so many records a consumer looks how close it is to the producers.
const CHASE: u32 = 16;
/// So many records are close.
const CLOSE: u32 = 32;
/// For how many pauses a consumer that is close lets the producers get ahead: about two microseconds.
const BEHIND: u32 = 128;

/// What was taken, besides its payload.
#[derive(Debug)]
pub(crate) struct Taken {
    /// True if the payload is the length of the item, and the first descriptor its file.
    pub(crate) in_file: bool,
    /// The descriptors that came with it.
    pub(crate) fds: Descriptors,
    /// False if the record had descriptors and they could not be received.
    pub(crate) is_complete: bool,
}

impl<W: World> Ring<W> {
    /// Takes the oldest record and copies its payload to `landing`, if that takes no more than copying it: the record is
    /// there, has nothing but bytes, and nobody is at it. Else returns false, and nothing was taken.
    #[inline]
    pub(crate) fn get_at_once(
        &self,
        landing: &mut impl Landing,
        claim: Option<&AtomicU64>,
    ) -> bool {
        let fields = self.fields();
        // Who polls an empty queue does not keep others from it.
        if !self.is_there(Position(fields.tail.load(Relaxed))) {
            return false;
        }
        let Some(held) = fields.get.side.lock_at_once(&self.world) else { return false };
        if fields.state.shutdown.load(SeqCst) | fields.state.watched.load(SeqCst) != OPEN {
            return false;
        }
        let tail = Position(fields.tail.load(Relaxed));
        let Some((payload, end)) = self.plain_record(tail) else { return false };
        if !landing.land(payload) {
            return false;
        }
        self.take_up_to(tail, Position::new(end, tail.count().wrapping_add(1)), claim);
        drop(held);
        if SOFT < end {
            self.trim_if_drained();
        }
        if tail.count().is_multiple_of(CHASE) {
            self.fall_behind(tail.count());
        }
        true
    }

    /// Looks for a record for a moment, without the lock, if producers are at work on another core and nobody else waits.
    #[inline(never)]
    pub(crate) fn linger(&self) -> bool {
        let fields = self.fields();
        if fields.get.side.is_owned() || fields.state.watched.load(Relaxed) != 0 {
            return false;
        }
        let tail = Position(fields.tail.load(Relaxed));
        let look = || self.is_there(tail);
        cpu::spin(&self.world, &fields.put_cpu, self.calm(tail.count()), look)
    }

    /// Lets the producers get ahead, where this consumer is on their heels: it finds each record, but the two take the
    /// line of it from each other for every single one, which takes longer than all else.
    #[inline(never)]
    fn fall_behind(&self, number: u32) {
        let fields = self.fields();
        // First what lies on this side's own line: where records come one by one, the producer keeps its own.
        if difference(number, fields.get.waited.load(Relaxed)) < CHASE {
            return;
        }
        let ahead = difference(Position(fields.head.load(Relaxed)).count(), number);
        if ahead < CLOSE && cpu::is_elsewhere(&self.world, &fields.put_cpu) {
            (0..BEHIND).for_each(|_| spin_loop());
        }
    }

    /// The payload of the record at `position`, and where it ends, if the record exists and is nothing but bytes.
    #[inline]
    pub(super) fn plain_record(&self, position: Position) -> Option<(SharedBytes<'_>, usize)> {
        let header = Header(self.world.word(position.offset()).ok()?.load(Acquire));
        if !header.is_plain(position.count()) {
            return None;
        }
        let (start, end) = span(position.offset(), header.length());
        let payload = self.world.bytes(start, header.length(), Access::Read).ok()?;
        self.world.word(end).ok()?;
        Some((payload, end))
    }

    /// Takes the records from `tail` to `next`: the store from which on they are this process's alone.
    #[inline]
    pub(super) fn take_up_to(&self, tail: Position, next: Position, claim: Option<&AtomicU64>) {
        let fields = self.fields();
        if let Some(claim) = claim {
            let more = u64::from(difference(next.count(), tail.count())) - 1;
            claim.store((more << 32) | (u64::from(tail.count()) + 1), SeqCst);
        }
        fields.tail.store(next.0, Release);
        cpu::note(&self.world, &fields.get_cpu, tail.count());
    }

    /// Takes the oldest record and copies its payload to `landing`.
    ///
    /// If this process is killed, the record is with the next consumer or was in this one's hands. A `claim` is set to
    /// the record's number plus one before the record is taken, so that there is no moment at which nobody has it.
    pub(crate) fn get(
        &self,
        landing: &mut impl Landing,
        claim: Option<&AtomicU64>,
        inbox: Inbox<'_>,
        waiting: &mut Waiting,
    ) -> Result<Taken, Refused> {
        let fields = self.fields();
        if let Patience::None = waiting.patience
            && self.is_surely_empty()
        {
            return Err(Refused::TimedOut);
        }
        let held = fields.get.side.lock(&self.world, &fields.put.side, waiting.patience)?;
        if held.died {
            fields.put.side.forget_leader();
        }
        loop {
            let tail = Position(fields.tail.load(Relaxed));
            if fields.state.shutdown.load(SeqCst) != DISCARDED
                && let Some((header, offset)) = self.find(tail)?
            {
                let (taken, end) = self.take(tail, (header, offset), landing, claim, inbox)?;
                drop(held);
                if SOFT < end {
                    self.trim_if_drained();
                }
                return Ok(taken);
            }
            self.wait_for_record(tail, inbox, waiting)?;
        }
    }

    /// Copies the payload, then takes the record by one store.
    fn take(
        &self,
        tail: Position,
        (header, offset): (Header, usize),
        landing: &mut impl Landing,
        claim: Option<&AtomicU64>,
        inbox: Inbox<'_>,
    ) -> Result<(Taken, usize), Refused> {
        let fields = self.fields();
        let (start, end) = span(offset, header.length());
        let mut payload = self.world.bytes(start, header.length(), Access::Read)?;
        self.world.word(end)?;
        let mut packet = None;
        if header.kind().has_packet {
            let number = payload.get::<u64>(0).map_err(|_| Refused::Damaged)?;
            packet = Some(self.look_for_packet(inbox, number));
            payload = payload.slice(WORD..).map_err(|_| Refused::Damaged)?;
        }
        if !landing.land(payload) {
            return Err(Refused::OutOfMemory);
        }
        self.take_up_to(tail, Position::new(end, tail.count().wrapping_add(1)), claim);
        let (mut fds, mut is_complete) = (Descriptors::new(), true);
        if let Some(packet) = packet {
            // After the store: before it, a kill would leave a record without its descriptors.
            is_complete = packet.is_some_and(|packet| self.take_packet(inbox, &packet, &mut fds));
        }
        if fields.state.watched.load(SeqCst) != 0 {
            self.settle_event();
        }
        Ok((Taken { in_file: header.kind().in_file, fds, is_complete }, end))
    }

    /// With the lock of the consumers held and nothing to be had: waits until a look may be worth while.
    #[cold]
    fn wait_for_record(
        &self,
        tail: Position,
        inbox: Inbox<'_>,
        waiting: &mut Waiting,
    ) -> Result<(), Refused> {
        let fields = self.fields();
        match fields.state.shutdown.load(SeqCst) {
            OPEN => {}
            // A producer may have been at it when the queue was shut down.
            ENDED if fields.put.side.is_owned() && !fields.get.side.has_leader() => {
                if matches!(waiting.patience, Patience::Until(_)) && waiting.patience.is_over() {
                    return Err(Refused::TimedOut);
                }
                if waiting.slices().next() {
                    // Where the kernel does not tell of a death, nobody else asks for that lock any more.
                    fields.put.side.bury(&self.world);
                }
                self.world.give_way();
                return Ok(());
            }
            ENDED if self.find(tail)?.is_some() => return Ok(()),
            _ => return Err(Refused::ShutDown),
        }
        self.sweep_packets(inbox, tail)?;
        if fields.state.watched.load(SeqCst) != 0 {
            self.settle_event();
        }
        if waiting.patience.is_over() {
            // Once more: with the patience used up, what has just come still counts.
            return if self.is_there(tail) { Ok(()) } else { Err(Refused::TimedOut) };
        }
        let departures = *waiting.departures(&fields.state);
        let look = || {
            self.is_there(tail)
                || fields.state.shutdown.load(SeqCst) != OPEN
                || fields.state.departures.load(SeqCst) != departures
        };
        if !std::mem::take(&mut waiting.has_lingered)
            && cpu::spin(&self.world, &fields.put_cpu, self.calm(tail.count()), look)
        {
            return Ok(());
        }
        let patience = waiting.patience;
        let led =
            fields.put.side.lead(&self.world, &fields.get.side, waiting.slices(), patience, look);
        if led == Led::Slice || waiting.has_departed(&fields.state) {
            return Err(Refused::Slice);
        }
        Ok(())
    }

    /// For how many pauses a consumer that has found nothing lets the producers be.
    ///
    /// Where the records since the last wait came in one go, more are on their way, and to wait a little gets a number of
    /// them for one transfer of their line. Where there was one, somebody waits for the answer.
    fn calm(&self, number: u32) -> u32 {
        let get = &self.fields().get;
        let came = difference(number, get.waited.load(Relaxed));
        get.waited.store(number, Relaxed);
        let calm = get.calm.load(Relaxed).min(MOST_CALM);
        let calm = if came > 1 { (2 * calm + 1).min(MOST_CALM) } else { calm / 2 };
        get.calm.store(calm, Relaxed);
        calm
    }

    /// The record of which `position` says where it should be, if it exists; its header, and where that is.
    #[inline]
    pub(super) fn find(&self, position: Position) -> Result<Option<(Header, usize)>, Refused> {
        let offset = position.offset();
        let header = Header(self.world.word(offset)?.load(Acquire));
        if !header.is_of(position.count()) {
            return Ok(None);
        }
        let Some(target) = header.target() else { return Ok(Some((header, offset))) };
        let header = Header(self.world.word(target)?.load(Acquire));
        if !header.is_of(position.count()) || header.target().is_some() {
            return Err(Refused::Damaged);
        }
        Ok(Some((header, target)))
    }

    /// True if the record exists; a damaged ring is found out by who takes it.
    #[inline]
    pub(super) fn is_there(&self, position: Position) -> bool {
        !matches!(self.find(position), Ok(None))
    }

    /// True where one look without the lock tells that there is nothing.
    fn is_surely_empty(&self) -> bool {
        let fields = self.fields();
        let tail = fields.tail.load(SeqCst);
        !self.is_there(Position(tail))
            && fields.tail.load(SeqCst) == tail
            && fields.state.shutdown.load(SeqCst) == OPEN
            && fields.state.watched.load(SeqCst) == 0
            && fields.packet.load(SeqCst) == fields.get.swept.load(SeqCst)
    }
}
