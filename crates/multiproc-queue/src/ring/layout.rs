//! What lies where in the ring's memory, and how its words are read.

use multiproc_sys::primitive::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::{lock::Side, world::Atomic};

/// Where the records begin: behind a page of fields.
pub(super) const DATA: usize = 4096;
/// Tells a ring of this layout from all else.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"mpring01");
/// Records wrap here as soon as the start is free, so that a short queue stays in the processor's cache.
pub(super) const SOFT: usize = 256 * 1024;
/// Payloads of this length and more begin at a multiple of [`LINE`].
const LONG: usize = 256;
const LINE: usize = 64;
/// A header, a slot, a continue-mark.
pub(super) const WORD: usize = 8;
/// What a record of a given length takes at most, the slot behind it included.
pub(super) const MARGIN: usize = 2 * WORD + LINE + WORD;

/// A field group on cache lines of its own; processors fetch lines in pairs.
#[repr(C, align(128))]
#[derive(Debug)]
pub(super) struct Group<T>(T);

impl<T> std::ops::Deref for Group<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// The first page of a ring. Everything in it is atomic, so that it may change at any moment.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Fields<A = AtomicU32, B = AtomicU64> {
    /// Written by the creator alone, before anybody else has the ring.
    pub(super) fixed: Group<Fixed<B>>,
    /// Written by producers.
    pub(super) put: Group<PutSide<A, B>>,
    /// Where the next record goes. Written by producers, under their lock.
    pub(super) head: Group<B>,
    /// The number of the last packet of descriptors that was, or was about to be, sent. Written by producers, and looked
    /// at by consumers that wait.
    pub(super) packet: Group<B>,
    /// Written by consumers.
    pub(super) get: Group<GetSide<A, B>>,
    /// Where the oldest record is. Written by consumers, under their lock: the store that takes a record.
    pub(super) tail: Group<B>,
    /// The core on which something was last put.
    pub(super) put_cpu: Group<A>,
    /// The core on which something was last taken.
    pub(super) get_cpu: Group<A>,
    /// Written seldom, read often.
    pub(super) state: Group<State<A>>,
    /// Of a queue whose items are marked as done.
    pub(super) tasks: Group<Tasks<A>>,
}

impl<A: Atomic<u32>, B: Atomic<u64>> Fields<A, B> {
    /// Of a new ring, all of whose words are zero.
    pub(super) fn initialize(&self, capacity: usize, bound: usize) {
        self.fixed.capacity.store(capacity as u64, Relaxed);
        self.fixed.bound.store(bound as u64, Relaxed);
        let soft = SOFT.min(capacity) as u64;
        self.put.soft.store(soft, Relaxed);
        self.put.lap.store(soft, Relaxed);
    }

    /// Of words that are made one by one.
    #[cfg(test)]
    pub(super) fn of(word: fn() -> A, wide: fn() -> B) -> Self {
        let fixed = Fixed {
            magic: wide(),
            capacity: wide(),
            bound: wide(),
            namespace: wide(),
            counted: wide(),
        };
        let put = PutSide {
            side: Side::of(word),
            tail_seen: wide(),
            turn: wide(),
            top: wide(),
            lap: wide(),
            soft: wide(),
            reserved: wide(),
            high: wide(),
        };
        let get = GetSide { side: Side::of(word), swept: wide(), waited: word(), calm: word() };
        Self {
            fixed: Group(fixed),
            put: Group(put),
            head: Group(wide()),
            packet: Group(wide()),
            get: Group(get),
            tail: Group(wide()),
            put_cpu: Group(word()),
            get_cpu: Group(word()),
            state: Group(State { shutdown: word(), watched: word(), departures: word() }),
            tasks: Group(Tasks { done: word(), bell: word() }),
        }
    }
}

const _: () = assert!(size_of::<Fields<AtomicU32, AtomicU64>>() <= DATA);

#[repr(C)]
#[derive(Debug)]
pub(super) struct Fixed<B> {
    pub(super) magic: B,
    /// Bytes for records.
    pub(super) capacity: B,
    /// The most items at a time; 0 is no limit.
    pub(super) bound: B,
    /// The pid namespace whose thread ids stand in the locks; 0 where it is not known.
    pub(super) namespace: B,
    /// 1 if the items are marked as done, so that no more of them may be unfinished than can be counted.
    pub(super) counted: B,
}

#[repr(C)]
#[derive(Debug)]
pub(super) struct PutSide<A, B> {
    pub(super) side: Side<A>,
    /// What `tail` was when it was last looked at.
    pub(super) tail_seen: B,
    /// Where the ring last went round: its mark. Stored before the mark.
    pub(super) turn: B,
    /// Where the records go on that found no more room below `tail`. While `tail` is below, the ring cannot go round.
    pub(super) top: B,
    /// Up to here the ring grows without waiting for the consumer to free the start.
    pub(super) lap: B,
    /// Where records wrap: [`SOFT`], or four times the longest record.
    pub(super) soft: B,
    /// The bytes up to here have memory.
    pub(super) reserved: B,
    /// No byte from here on has memory, but perhaps that of one mark.
    pub(super) high: B,
}

#[repr(C)]
#[derive(Debug)]
pub(super) struct GetSide<A, B> {
    pub(super) side: Side<A>,
    /// All packets of descriptors below this number have been taken.
    pub(super) swept: B,
    /// The number of the record for which a consumer last had to wait.
    pub(super) waited: A,
    /// For how many pauses a consumer lets the producers be before it looks again.
    pub(super) calm: A,
}

#[repr(C)]
#[derive(Debug)]
pub(super) struct State<A> {
    /// [`OPEN`], [`ENDED`] or [`DISCARDED`].
    pub(super) shutdown: A,
    /// 1 once somebody watches the event.
    pub(super) watched: A,
    /// How often a process has let go of the queue, so that those who wait look whether anybody is left.
    pub(super) departures: A,
}

/// Items may be put.
pub(super) const OPEN: u32 = 0;
/// No more items may be put.
pub(super) const ENDED: u32 = 1;
/// Nor may any be taken.
pub(super) const DISCARDED: u32 = 2;

#[repr(C)]
#[derive(Debug)]
pub(super) struct Tasks<A> {
    /// How many items have been marked as done, modulo 2^28.
    pub(super) done: A,
    /// 0, or [`WAITERS`](super::lock::WAITERS) while somebody waits for all to be done.
    pub(super) bell: A,
}

/// Number of bits of a count of items.
const COUNT_BITS: u32 = 28;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// The difference of two counts of items.
#[inline]
pub(super) fn difference(later: u32, earlier: u32) -> u32 {
    later.wrapping_sub(earlier) & COUNT_MASK as u32
}

/// A place among the records and the number of records before it: what `head` and `tail` hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position(pub(super) u64);

impl Position {
    /// `offset` is a multiple of eight.
    #[inline]
    pub(super) fn new(offset: usize, count: u32) -> Self {
        Self((offset as u64 / WORD as u64) << COUNT_BITS | u64::from(count) & COUNT_MASK)
    }

    #[inline]
    pub(super) fn offset(self) -> usize {
        (self.0 >> COUNT_BITS) as usize * WORD
    }

    /// Modulo 2^28.
    #[inline]
    pub(super) fn count(self) -> u32 {
        (self.0 & COUNT_MASK) as u32
    }
}

/// The first word of a record. The store of it is what makes the record exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header(pub(super) u64);

/// What is special about a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kind {
    /// A packet of descriptors belongs to it, whose number is in front of the payload.
    pub(crate) has_packet: bool,
    /// The payload is the length of the item, which is in a file: the first descriptor.
    pub(crate) in_file: bool,
}

impl Header {
    const EXISTS: u64 = 1 << 63;
    const HAS_PACKET: u64 = 1 << 62;
    const IN_FILE: u64 = 1 << 61;
    const NUMBER: u32 = 32;
    const IS_MARK: u64 = 1 << 60;
    const LENGTH: u64 = u32::MAX as u64;

    /// `length` fits into 32 bits.
    #[inline]
    pub(super) fn new(count: u32, length: usize, kind: Kind) -> Self {
        let mut word = Self::EXISTS | (u64::from(count) & COUNT_MASK) << Self::NUMBER;
        word |= length as u64 & Self::LENGTH;
        if kind.has_packet {
            word |= Self::HAS_PACKET;
        }
        if kind.in_file {
            word |= Self::IN_FILE;
        }
        Self(word)
    }

    /// The record of this number is at `target`, a multiple of eight below 2^35.
    #[inline]
    pub(super) fn mark(count: u32, target: usize) -> Self {
        Self(Self::new(count, target / WORD, Kind::default()).0 | Self::IS_MARK)
    }

    /// True for the record of this number; all other words at this place are from former times.
    #[inline]
    pub(super) fn is_of(self, count: u32) -> bool {
        self.0 & Self::EXISTS != 0 && (self.0 >> Self::NUMBER) & COUNT_MASK == u64::from(count)
    }

    /// True for the record of this number, if it is nothing but bytes and right here.
    #[inline]
    pub(super) fn is_plain(self, count: u32) -> bool {
        self.0 >> Self::NUMBER == Self::EXISTS >> Self::NUMBER | u64::from(count)
    }

    /// Where the record is, if this is a mark.
    #[inline]
    pub(super) fn target(self) -> Option<usize> {
        (self.0 & Self::IS_MARK != 0).then(|| self.length() * WORD)
    }

    #[inline]
    pub(super) fn length(self) -> usize {
        (self.0 & Self::LENGTH) as usize
    }

    #[inline]
    pub(super) fn kind(self) -> Kind {
        Kind { has_packet: self.0 & Self::HAS_PACKET != 0, in_file: self.0 & Self::IN_FILE != 0 }
    }
}

/// Where a record at `offset` has its payload, and where it ends.
#[inline]
pub(super) fn span(offset: usize, length: usize) -> (usize, usize) {
    let mut start = offset + WORD;
    if length >= LONG {
        start = start.next_multiple_of(LINE);
    }
    (start, (start + length).next_multiple_of(WORD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_hold_what_was_put_into_them() {
        let position = Position::new((1 << 30) - 8, 0x0fff_ffff);
        assert_eq!((position.offset(), position.count()), ((1 << 30) - 8, 0x0fff_ffff));
        let kind = Kind::default();
        let header = Header::new(77, 12345, kind);
        assert!(header.is_of(77) && !header.is_of(78));
        assert_eq!(header.target(), None);
        assert_eq!((header.length(), header.kind()), (12345, kind));
        assert!(header.is_plain(77) && !header.is_plain(78));
        for kind in [(true, false), (false, true)] {
            let kind = Kind { has_packet: kind.0, in_file: kind.1 };
            assert!(!Header::new(77, 12345, kind).is_plain(77));
        }
        assert!(!Header::mark(5, 8).is_plain(5));
        let mark = Header::mark(5, (1 << 30) - 8);
        assert!(mark.is_of(5) && mark.target() == Some((1 << 30) - 8));
        assert!(!Header(0).is_of(0), "an empty slot is no record");
    }

    #[test]
    fn counts_go_round() {
        assert_eq!(difference(3, 0x0fff_fffe), 5);
        assert_eq!(difference(7, 7), 0);
    }

    #[test]
    fn long_payloads_begin_on_a_line() {
        assert_eq!(span(0, 0), (8, 8));
        assert_eq!(span(16, 5), (24, 32));
        assert_eq!(span(0, 256), (64, 320));
        assert_eq!(span(56, 4096), (64, 64 + 4096));
        for offset in (0..256).step_by(8) {
            for length in [0, 1, 255, 256, 1000] {
                assert!(span(offset, length).1 + WORD <= offset + length + MARGIN);
            }
        }
    }
}
