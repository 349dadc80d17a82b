//! Values one behind the other, each behind its length: any run of them can be cut out, and one that does not decode costs
//! none of the others.

use std::{
    io, mem,
    ops::Range,
    os::fd::{AsFd, OwnedFd},
};

use multiproc_sys::memfd;
use multiproc_wire::{EncodeError, Handle};
use rustix::io::Errno;
use serde::Serialize;

use crate::{
    TaskError,
    value_file::{self, Place, ValueFile},
};

/// A value of more bytes than this travels alone, as a file as long as there are not too many.
pub(crate) const INLINE: usize = 48 << 10;

/// The length of a value takes one byte up to this.
const SHORT: u8 = 252;
/// What follows is no value: see `worker/README.md`.
pub(crate) const MARK: u8 = 253;
/// The length follows, as four bytes.
const LONG: u8 = 254;
/// As `LONG`; and it is no value, but the error that stands in its place.
const FAILED: u8 = 255;

/// A sequence that is being written.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    pub(crate) bytes: Vec<u8>,
    pub(crate) handles: Vec<Handle>,
    pub(crate) count: usize,
}

/// What came of adding a value.
#[derive(Debug)]
pub(crate) enum Pushed {
    Inside,
    /// It is too large to stand among others, and was left out.
    Large(Large),
}

/// A value that travels alone, or an error.
#[derive(Debug)]
pub(crate) struct Large {
    content: Content,
    handles: Vec<Handle>,
    pub(crate) is_error: bool,
}

#[derive(Debug)]
enum Content {
    /// From there on in memory.
    Memory(Vec<u8>, usize),
    File(memfd::Filling, Place),
}

impl Content {
    /// Nothing yet, in a file if there may be one.
    fn new() -> io::Result<Self> {
        Ok(match value_file::fill()? {
            Some((file, place)) => Self::File(file, place),
            None => Self::Memory(vec![0; LONG_HEAD], LONG_HEAD),
        })
    }

    fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file, _) => file.append(piece),
            Self::Memory(bytes, _) => {
                bytes.try_reserve(piece.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
                bytes.extend_from_slice(piece);
                Ok(())
            }
        }
    }
}

impl Large {
    /// Puts it into a file, unless it is in one or there are too many: then it is a sequence of its own.
    pub(crate) fn into_block(self) -> io::Result<Block> {
        let body = match self.content {
            Content::Memory(bytes, start) => match ValueFile::of(&bytes[start..])? {
                Some(file) => Body::File(file, (bytes.len() - start) as u64),
                None => Body::Memory(alone(bytes, start, self.is_error)?),
            },
            Content::File(file, place) => {
                let (file, len) = file.seal()?;
                Body::File(ValueFile::new(file, Some(place)), len)
            }
        };
        Ok(Block { body, handles: self.handles })
    }
}

impl Sequence {
    /// Appends a value, unless it is too large; on an error, or if to encode it panics, nothing has changed.
    #[inline]
    pub(crate) fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<Pushed, EncodeError> {
        let (start, held) = (self.bytes.len(), self.handles.len());
        let undo = Undo { bytes: &mut self.bytes, start };
        undo.bytes.push(0);
        let mut spilled = None;
        let mut spill = |piece: &[u8]| match &mut spilled {
            Some(content) => Content::append(content, piece),
            none => none.insert(Content::new()?).append(piece),
        };
        multiproc_wire::encode_spilling(value, undo.bytes, &mut self.handles, &mut spill)?;
        if let Some(content) = spilled {
            drop(undo);
            let handles = self.handles.split_off(held);
            return Ok(Pushed::Large(Large { content, handles, is_error: false }));
        }
        mem::forget(undo);
        let len = self.bytes.len() - start - 1;
        match short(len) {
            Some(short) => self.bytes[start] = short,
            _ if len <= INLINE => self.widen(start, LONG),
            _ => return Ok(self.set_apart(start, held, false)),
        }
        self.count += 1;
        Ok(Pushed::Inside)
    }

    /// Appends a value that is these bytes.
    #[inline]
    pub(crate) fn push_plain(&mut self, value: &[u8]) -> Pushed {
        let (start, held) = (self.bytes.len(), self.handles.len());
        match short(value.len()) {
            Some(short) => {
                self.bytes.reserve(1 + value.len());
                self.bytes.push(short);
                self.bytes.extend_from_slice(value);
            }
            _ => {
                self.bytes.push(0);
                self.bytes.extend_from_slice(value);
                if value.len() > INLINE {
                    return self.set_apart(start, held, false);
                }
                self.widen(start, LONG);
            }
        }
        self.count += 1;
        Pushed::Inside
    }

    /// Appends an error in the place of a value.
    pub(crate) fn push_failure(&mut self, err: &TaskError) -> Pushed {
        let (start, held) = (self.bytes.len(), self.handles.len());
        self.bytes.push(0);
        if multiproc_wire::encode_into(err, &mut self.bytes, &mut self.handles).is_err() {
            // The text goes beyond what a message may hold: that it is an error still gets through.
            self.bytes.truncate(start + 1);
        }
        if self.bytes.len() - start - 1 > INLINE {
            return self.set_apart(start, held, true);
        }
        self.widen(start, FAILED);
        self.count += 1;
        Pushed::Inside
    }

    /// Puts the length of the value that begins at `start` before it.
    #[cold]
    fn widen(&mut self, start: usize, kind: u8) {
        let end = self.bytes.len();
        let len = u32::try_from(end - start - 1).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.copy_within(start + 1..end, start + 5);
        self.bytes[start] = kind;
        self.bytes[start + 1..start + 5].copy_from_slice(&len.to_le_bytes());
    }

    /// Takes the last value out again, without copying it.
    #[cold]
    fn set_apart(&mut self, start: usize, held: usize, is_error: bool) -> Pushed {
        let before = self.bytes[..start].to_vec();
        let bytes = mem::replace(&mut self.bytes, before);
        let handles = self.handles.split_off(held);
        let content = Content::Memory(bytes, start + 1);
        Pushed::Large(Large { content, handles, is_error })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes what there is out.
    pub(crate) fn take(&mut self) -> Self {
        mem::take(self)
    }
}

/// Takes out again what was written of a value, unless it is forgotten.
struct Undo<'a> {
    bytes: &'a mut Vec<u8>,
    start: usize,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        self.bytes.truncate(self.start);
    }
}

/// What is known of one item of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) is_error: bool,
}

/// The items of a sequence; ends where the lengths make no sense.
#[derive(Clone)]
pub(crate) struct Items<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        let (kind, behind) = self.0.split_first()?;
        if *kind <= SHORT {
            let (bytes, behind) = behind.split_at_checked(usize::from(*kind))?;
            self.0 = behind;
            return Some(Item { bytes, is_error: false });
        }
        self.next_long(*kind, behind)
    }
}

impl<'a> Items<'a> {
    #[cold]
    fn next_long(&mut self, kind: u8, behind: &'a [u8]) -> Option<Item<'a>> {
        if kind == MARK {
            return None;
        }
        let (len, behind) = behind.split_first_chunk()?;
        let (bytes, behind) = behind.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        self.0 = behind;
        Some(Item { bytes, is_error: kind == FAILED })
    }
}

/// How many items there are, at most so many, and where they end.
pub(crate) fn measure(bytes: &[u8], most: usize) -> (usize, usize) {
    let (mut count, mut at) = (0, 0);
    while count < most
        && let Some(kind) = bytes.get(at)
    {
        let before = count;
        if *kind <= SHORT {
            // Those of one length lie in steps: where the next one is can be known before this one is read.
            let step = 1 + usize::from(*kind);
            while count < most && step <= bytes.len() - at && bytes[at] == *kind {
                at += step;
                count += 1;
                if at == bytes.len() {
                    return (count, at);
                }
            }
        } else {
            let mut items = Items(&bytes[at..]);
            count += usize::from(items.next().is_some());
            at = bytes.len() - items.0.len();
        }
        if count == before {
            break;
        }
    }
    (count, at)
}

/// How many bytes the first `count` items take.
pub(crate) fn extent(bytes: &[u8], count: usize) -> usize {
    measure(bytes, count).1
}

/// How many items fit into so many bytes.
pub(crate) fn within(bytes: &[u8], weight: usize) -> usize {
    measure(&bytes[..weight.min(bytes.len())], usize::MAX).0
}

/// How a length is written that takes one byte.
#[inline]
pub(crate) fn short(len: usize) -> Option<u8> {
    u8::try_from(len).ok().filter(|short| *short <= SHORT)
}

/// Bytes of a sequence in memory, or one value in a file.
#[derive(Debug)]
pub(crate) enum Body {
    Memory(Vec<u8>),
    File(ValueFile, u64),
}

impl Body {
    /// The value, or the error, that came in a file; it stays there unless there are too many such files.
    pub(crate) fn received(file: OwnedFd, len: u64, is_error: bool) -> Self {
        let place = Place::take();
        if place.is_none() {
            let mut bytes = vec![0; LONG_HEAD];
            let read = memfd::read(file.as_fd(), len, &mut bytes);
            if let Ok(bytes) = read.and_then(|()| alone(bytes, LONG_HEAD, is_error)) {
                return Self::Memory(bytes);
            }
            // What is wrong with it is for who wants the value.
        }
        Self::File(ValueFile::new(file, place), len)
    }
}

/// How many bytes stand before a long value.
const LONG_HEAD: usize = 5;

/// Makes a sequence of the value, or the error, that begins at `start`.
fn alone(mut bytes: Vec<u8>, start: usize, is_error: bool) -> io::Result<Vec<u8>> {
    // What is longer can be in a file only.
    let len = u32::try_from(bytes.len() - start).map_err(|_| Errno::MFILE)?;
    let [a, b, c, d] = len.to_le_bytes();
    bytes.splice(..start, [if is_error { FAILED } else { LONG }, a, b, c, d]);
    Ok(bytes)
}

/// The content of a file.
pub(crate) fn read_file(file: &impl AsFd, len: u64) -> io::Result<memfd::Mapped> {
    memfd::map(file.as_fd(), len)
}

/// A finished sequence, of which several tasks may hold runs.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) body: Body,
    pub(crate) handles: Vec<Handle>,
}

impl Block {
    /// The run that is all of it.
    pub(crate) fn all(&self) -> Run {
        match &self.body {
            Body::Memory(bytes) => 0..bytes.len(),
            Body::File(..) => 0..0,
        }
    }
}

/// A run of a block: where its items begin and end. Of a file it is all.
pub(crate) type Run = Range<usize>;

/// Splits the first `count` items off a run.
pub(crate) fn split(block: &Block, run: &Run, count: usize) -> (Run, Run) {
    let at = match &block.body {
        Body::Memory(bytes) => run.start + extent(&bytes[run.clone()], count),
        // One value is not split.
        Body::File(..) => run.end,
    };
    (run.start..at, at..run.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_any_length_are_found_again() {
        let mut sequence = Sequence::default();
        let values = ["".to_string(), "x".repeat(251), "x".repeat(252), "x".repeat(40_000)];
        for value in &values {
            assert!(matches!(sequence.push(value), Ok(Pushed::Inside)));
        }
        sequence.push_failure(&TaskError::Cancelled);
        assert_eq!(sequence.count, 5);
        let found: Vec<_> = Items(&sequence.bytes).collect();
        assert_eq!(found.iter().filter(|item| item.is_error).count(), 1);
        for (value, item) in values.iter().zip(&found) {
            assert_eq!(multiproc_wire::decode::<String>(item.bytes, vec![]).unwrap(), *value);
        }
        assert_eq!(
            multiproc_wire::decode::<TaskError>(found[4].bytes, vec![]).unwrap(),
            TaskError::Cancelled
        );
    }

    #[test]
    fn very_large_value_goes_to_its_file_at_once() {
        let mut sequence = Sequence::default();
        sequence.push(&1u8).unwrap();
        let value = (3u8, "x".repeat(2 << 20), 4u8);
        let Ok(Pushed::Large(large)) = sequence.push(&value) else { panic!("it is large") };
        assert!(matches!(large.content, Content::File(..)) && sequence.bytes == [1, 1]);
        let Body::File(file, len) = large.into_block().unwrap().body else { panic!("in a file") };
        let bytes = read_file(&file, len).unwrap();
        assert!(multiproc_wire::decode::<(u8, String, u8)>(&bytes, vec![]).unwrap() == value);
    }

    #[test]
    fn large_value_stands_apart() {
        let mut sequence = Sequence::default();
        sequence.push(&1u8).unwrap();
        let text = "x".repeat(INLINE);
        let Ok(Pushed::Large(large)) = sequence.push(&text) else { panic!("it is large") };
        let Body::File(file, len) = large.into_block().unwrap().body else { panic!("in a file") };
        let bytes = read_file(&file, len).unwrap();
        assert_eq!(multiproc_wire::decode::<String>(&bytes, vec![]).unwrap(), text);
        sequence.push(&2u8).unwrap();
        assert_eq!((sequence.count, &sequence.bytes[..]), (2, &[1, 1, 1, 2][..]));
        let err = TaskError::Result("x".repeat(INLINE));
        let Pushed::Large(large) = sequence.push_failure(&err) else { panic!("it is large") };
        assert!(large.is_error && sequence.count == 2);
    }

    #[test]
    fn value_that_stays_in_memory_is_a_sequence_of_its_own() {
        let text = "x".repeat(INLINE);
        for (start, is_error) in [(0, false), (3, false), (5, true), (9, false)] {
            let mut bytes = vec![7; start];
            bytes.extend(multiproc_wire::encode(&text).unwrap().bytes);
            let bytes = alone(bytes, start, is_error).unwrap();
            let items: Vec<_> = Items(&bytes).collect();
            assert_eq!((items.len(), items[0].is_error), (1, is_error));
            assert_eq!(multiproc_wire::decode::<String>(items[0].bytes, vec![]).unwrap(), text);
        }
    }

    #[test]
    fn measure_agrees_with_the_items() {
        let mut sequence = Sequence::default();
        let lengths = [0, 0, 3, 3, 3, 0, 252, 253, 253, 3, 1000, 1, 1];
        for len in lengths {
            sequence.push_plain(&vec![7; len]);
        }
        let bytes = &sequence.bytes;
        for count in 0..=lengths.len() + 1 {
            let mut items = Items(bytes);
            let taken = items.by_ref().take(count).count();
            assert_eq!(measure(bytes, count), (taken, bytes.len() - items.0.len()));
        }
        for len in 0..bytes.len() {
            let mut items = Items(&bytes[..len]);
            let whole = items.by_ref().count();
            assert_eq!(measure(&bytes[..len], usize::MAX), (whole, len - items.0.len()));
        }
    }

    #[test]
    fn lengths_that_lie_end_the_sequence() {
        assert_eq!(Items(&[3, 1, 2]).count(), 0);
        assert_eq!(Items(&[LONG, 1, 2]).count(), 0);
        assert_eq!(Items(&[LONG, 255, 255, 255, 255, 1]).count(), 0);
        assert_eq!(Items(&[1, 7, MARK, 1, 0, 0, 0]).count(), 1);
    }

    #[test]
    fn run_splits_where_the_items_end() {
        let mut sequence = Sequence::default();
        for x in 0..10u32 {
            sequence.push(&(x * 100)).unwrap();
        }
        let run = 0..sequence.bytes.len();
        let block = Block { body: Body::Memory(sequence.bytes), handles: vec![] };
        let (head, tail) = split(&block, &run, 4);
        let Body::Memory(bytes) = &block.body else { unreachable!("it is short") };
        let read = |run: Run| -> Vec<u32> {
            Items(&bytes[run])
                .map(|item| multiproc_wire::decode(item.bytes, vec![]).unwrap())
                .collect()
        };
        assert_eq!(read(head), [0, 100, 200, 300]);
        assert_eq!(read(tail), [400, 500, 600, 700, 800, 900]);
    }
}
