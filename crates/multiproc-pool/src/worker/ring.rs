//! A ring of bytes in shared memory that one process writes and one reads.
//!
//! Each side keeps its own position to itself and believes of the other's only what can be: at most the capacity lies
//! between them. What is written counts when the position is raised, by one store, so a side that is killed at any
//! instruction has left whole messages only. Nobody holds anything for anybody.

use multiproc_shm::{Segment, SharedBytes, ShmError};
use multiproc_sys::primitive::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// The first reservation; each further one doubles what there is.
const LEAST: usize = 4096;

/// Where a ring lies in a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Where the positions stand: of the writer, of the reader.
    pub(super) tail: usize,
    pub(super) head: usize,
    /// Where the bytes begin, and how many there are: a power of two.
    pub(super) data: usize,
    pub(super) capacity: usize,
}

/// One side's view of a ring.
#[derive(Debug)]
struct Ring {
    segment: Segment,
    place: Place,
}

impl Ring {
    fn word(&self, at: usize) -> &AtomicU64 {
        self.segment.bytes().atomic_u64(at).expect("a segment has room for its positions")
    }

    fn data(&self) -> SharedBytes<'_> {
        let Place { data, capacity, .. } = self.place;
        self.segment.bytes().slice(data..data + capacity).expect("a segment has room for its rings")
    }

    fn offset(&self, position: u64) -> usize {
        // The capacity is a power of two, so this is the remainder.
        position as usize & (self.place.capacity - 1)
    }
}

/// The side that writes.
#[derive(Debug)]
pub(super) struct Writer {
    ring: Ring,
    tail: u64,
    /// The other side's position as last seen.
    head: u64,
    /// How many bytes have memory.
    reserved: usize,
}

impl Writer {
    pub(super) fn new(segment: Segment, place: Place) -> Self {
        Self { ring: Ring { segment, place }, tail: 0, head: 0, reserved: 0 }
    }

    /// How many bytes there is room for; none if the other side says what cannot be.
    #[inline]
    pub(super) fn room(&mut self, wanted: usize) -> Option<usize> {
        let capacity = self.ring.place.capacity;
        let mut used = self.tail - self.head;
        if capacity as u64 - used < wanted as u64 {
            let head = self.ring.word(self.ring.place.head).load(Acquire);
            used = self.tail.checked_sub(head).filter(|used| *used <= capacity as u64)?;
            self.head = head;
        }
        Some(capacity - used as usize)
    }

    /// Writes bytes for which there is room. They count once they are [published](Self::publish).
    #[inline]
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ShmError> {
        let at = self.ring.offset(self.tail);
        let end = at + bytes.len();
        if end > self.reserved {
            self.reserve(end)?;
        }
        let capacity = self.ring.place.capacity;
        let data = self.ring.data();
        let (front, back) = bytes.split_at(bytes.len().min(capacity - at));
        data.write(at, front).and_then(|()| data.write(0, back)).map_err(ShmError::from)?;
        self.tail += bytes.len() as u64;
        Ok(())
    }

    #[cold]
    fn reserve(&mut self, end: usize) -> Result<(), ShmError> {
        let Place { data, capacity, .. } = self.ring.place;
        if self.reserved < capacity {
            let end = end.max(2 * self.reserved).max(LEAST).next_multiple_of(LEAST).min(capacity);
            self.ring.segment.reserve(data + self.reserved, end - self.reserved)?;
            self.reserved = end;
        }
        Ok(())
    }

    /// Lets the other side have all that was written.
    #[inline]
    pub(super) fn publish(&self) {
        self.ring.word(self.ring.place.tail).store(self.tail, Release);
    }
}

/// The side that reads.
#[derive(Debug)]
pub(super) struct Reader {
    ring: Ring,
    head: u64,
}

impl Reader {
    pub(super) fn new(segment: Segment, place: Place) -> Self {
        Self { ring: Ring { segment, place }, head: 0 }
    }

    /// How many bytes there are; none if the other side says what cannot be.
    #[inline]
    pub(super) fn available(&self) -> Option<usize> {
        let tail = self.ring.word(self.ring.place.tail).load(Acquire);
        let count = tail.checked_sub(self.head)?;
        (count <= self.ring.place.capacity as u64).then_some(count as usize)
    }

    /// Takes `count` bytes, of which there are as many, and appends them to `into`.
    #[inline]
    pub(super) fn read(&mut self, count: usize, into: &mut Vec<u8>) {
        let at = self.ring.offset(self.head);
        let front = count.min(self.ring.place.capacity - at);
        let data = self.ring.data();
        into.reserve(count);
        for part in [at..at + front, 0..count - front] {
            data.slice(part).expect("it lies within").append_to(into);
        }
        self.head += count as u64;
        self.ring.word(self.ring.place.head).store(self.head, Release);
    }

    /// Says again how far it has read, if something else stands there: the other side can write over it.
    #[inline]
    pub(super) fn insist(&self) {
        let head = self.ring.word(self.ring.place.head);
        if head.load(Relaxed) != self.head {
            head.store(self.head, Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { tail: 0, head: 64, data: 4096, capacity: 4096 };

    fn pair() -> (Writer, Reader) {
        let segment = Segment::sparse(8192).unwrap();
        segment.reserve(0, 4096).unwrap();
        (Writer::new(segment.clone(), PLACE), Reader::new(segment, PLACE))
    }

    #[test]
    fn bytes_go_round_and_round() {
        let (mut writer, mut reader) = pair();
        let mut sum = 0;
        for round in 0..100u8 {
            let bytes = vec![round; 1500];
            assert!(writer.room(1500).unwrap() >= 1500);
            writer.write(&bytes[..700]).unwrap();
            writer.write(&bytes[700..]).unwrap();
            assert_eq!(reader.available(), Some(0), "not published yet");
            writer.publish();
            let mut read = vec![];
            reader.read(reader.available().unwrap(), &mut read);
            assert_eq!(read, bytes);
            sum += read.len();
        }
        assert_eq!(sum, 150_000);
    }

    #[test]
    fn full_ring_has_no_room_until_it_is_read() {
        let (mut writer, mut reader) = pair();
        writer.write(&[1; 4096]).unwrap();
        writer.publish();
        assert_eq!(writer.room(1), Some(0));
        reader.read(96, &mut vec![]);
        assert_eq!(writer.room(1), Some(96));
    }

    #[test]
    fn positions_that_cannot_be_are_not_believed() {
        let (mut writer, reader) = pair();
        reader.ring.word(PLACE.tail).store(4097, Relaxed);
        assert_eq!(reader.available(), None);
        reader.ring.word(PLACE.head).store(1, Relaxed);
        assert_eq!(writer.room(4097), None);
        reader.ring.word(PLACE.head).store(u64::MAX, Relaxed);
        assert_eq!(writer.room(4097), None);
    }

    #[test]
    fn position_that_was_written_over_is_put_right() {
        let (mut writer, mut reader) = pair();
        writer.write(&[1; 96]).unwrap();
        writer.publish();
        reader.read(96, &mut vec![]);
        let head = reader.ring.word(PLACE.head);
        head.store(7, Relaxed);
        assert_eq!(reader.available(), Some(0), "it goes by its own");
        reader.insist();
        assert_eq!(head.load(Relaxed), 96);
        assert_eq!(writer.room(4096), Some(4096));
    }

    #[test]
    fn threads_share_a_ring() {
        let (mut writer, mut reader) = pair();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for number in 0..20_000u64 {
                    while writer.room(8).unwrap() < 8 {
                        std::thread::yield_now();
                    }
                    writer.write(&number.to_le_bytes()).unwrap();
                    writer.publish();
                }
            });
            let mut read = Vec::new();
            while read.len() < 8 * 20_000 {
                match reader.available().unwrap() {
                    0 => std::thread::yield_now(),
                    count => reader.read(count, &mut read),
                }
            }
            let numbers = read.chunks(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
            assert!(numbers.eq(0..20_000));
        });
    }
}
