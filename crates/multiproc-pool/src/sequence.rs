//! Values one behind the other, each with its length: any run of them can be cut out, and one that does not decode costs
//! none of the others.

use std::{
    io, mem,
    ops::Range,
    os::fd::{AsFd, OwnedFd},
};

use multiproc_sys::memfd;
use multiproc_wire::{EncodeError, Handle};
use serde::Serialize;

use crate::TaskError;

/// More bytes than this travel as a file beside the message.
pub(crate) const INLINE: usize = 48 << 10;

/// The length of a value takes one byte up to this.
const SHORT: u8 = 253;
/// The length follows, as eight bytes.
const LONG: u8 = 254;
/// As `LONG`; and it is no value, but the error that stands in its place.
const FAILED: u8 = 255;

/// A sequence that is being written.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    pub(crate) bytes: Vec<u8>,
    pub(crate) lens: Vec<u8>,
    pub(crate) handles: Vec<Handle>,
    pub(crate) count: usize,
}

impl Sequence {
    /// Appends a value; on an error nothing has changed.
    pub(crate) fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        let start = self.bytes.len();
        multiproc_wire::encode_into(value, &mut self.bytes, &mut self.handles)?;
        let len = self.bytes.len() - start;
        match u8::try_from(len) {
            Ok(short) if short <= SHORT => self.lens.push(short),
            _ => self.push_len(LONG, len),
        }
        self.count += 1;
        Ok(())
    }

    /// Appends an error in the place of a value.
    pub(crate) fn push_failure(&mut self, err: &TaskError) {
        let start = self.bytes.len();
        if multiproc_wire::encode_into(err, &mut self.bytes, &mut self.handles).is_err() {
            // The text goes beyond what a message may hold: that it is an error still gets through.
            self.bytes.truncate(start);
        }
        self.push_len(FAILED, self.bytes.len() - start);
        self.count += 1;
    }

    fn push_len(&mut self, kind: u8, len: usize) {
        self.lens.push(kind);
        self.lens.extend_from_slice(&(len as u64).to_le_bytes());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes what there is out.
    pub(crate) fn take(&mut self) -> Self {
        mem::take(self)
    }
}

/// What is known of one item of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) len: usize,
    pub(crate) is_error: bool,
    /// How many bytes of lengths it took to say so.
    takes: usize,
}

/// Reads lengths; ends where they make no sense.
pub(crate) struct Items<'a>(&'a [u8]);

impl Iterator for Items<'_> {
    type Item = Item;

    #[inline]
    fn next(&mut self) -> Option<Item> {
        let (kind, behind) = self.0.split_first()?;
        if *kind <= SHORT {
            self.0 = behind;
            return Some(Item { len: usize::from(*kind), is_error: false, takes: 1 });
        }
        let (len, behind) = behind.split_first_chunk()?;
        self.0 = behind;
        let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
        Some(Item { len, is_error: *kind == FAILED, takes: 9 })
    }
}

/// The bytes of the items, one after the other; ends where the lengths go beyond them.
pub(crate) struct Slices<'a> {
    items: Items<'a>,
    rest: &'a [u8],
}

impl<'a> Iterator for Slices<'a> {
    type Item = (bool, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<(bool, &'a [u8])> {
        let item = self.items.next()?;
        let (head, tail) = self.rest.split_at_checked(item.len)?;
        self.rest = tail;
        Some((item.is_error, head))
    }
}

/// The items of a sequence.
pub(crate) fn slices<'a>(lens: &'a [u8], bytes: &'a [u8]) -> Slices<'a> {
    Slices { items: Items(lens), rest: bytes }
}

/// How far the first `count` items go in `lens` and in the bytes.
pub(crate) fn extent(lens: &[u8], count: usize) -> (usize, usize) {
    Items(lens)
        .take(count)
        .fold((0, 0), |(in_lens, in_bytes), item| (in_lens + item.takes, in_bytes + item.len))
}

/// Bytes in memory, or so many that they stand in a file.
#[derive(Debug)]
pub(crate) enum Body {
    Memory(Vec<u8>),
    File(OwnedFd, u64),
}

impl Body {
    /// Puts many bytes into a file.
    pub(crate) fn new(bytes: Vec<u8>) -> io::Result<Self> {
        if bytes.len() <= INLINE {
            return Ok(Self::Memory(bytes));
        }
        Ok(Self::File(memfd::seal(&bytes)?, bytes.len() as u64))
    }

    /// All bytes, read if they have to be.
    pub(crate) fn into_bytes(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Memory(bytes) => Ok(bytes),
            Self::File(file, len) => {
                let mut bytes = Vec::new();
                memfd::read(file.as_fd(), len, &mut bytes)?;
                Ok(bytes)
            }
        }
    }
}

/// A finished sequence, of which several tasks may hold runs.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) body: Body,
    pub(crate) lens: Vec<u8>,
    pub(crate) handles: Vec<Handle>,
}

/// A run of a block.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) lens: Range<usize>,
    pub(crate) bytes: Range<usize>,
}

impl Run {
    /// Splits off the first `count` items.
    pub(crate) fn split(&self, block: &Block, count: usize) -> (Self, Self) {
        let (in_lens, in_bytes) = extent(&block.lens[self.lens.clone()], count);
        let (lens, bytes) = (self.lens.start + in_lens, self.bytes.start + in_bytes);
        let head = Self { lens: self.lens.start..lens, bytes: self.bytes.start..bytes };
        (head, Self { lens: lens..self.lens.end, bytes: bytes..self.bytes.end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_any_length_are_found_again() {
        let mut sequence = Sequence::default();
        let values = ["".to_string(), "x".repeat(252), "x".repeat(253), "x".repeat(100_000)];
        values.iter().for_each(|value| sequence.push(value).unwrap());
        sequence.push_failure(&TaskError::Cancelled);
        assert_eq!(sequence.count, 5);
        let found: Vec<_> = slices(&sequence.lens, &sequence.bytes).collect();
        assert_eq!(found.iter().map(|(is_error, _)| *is_error).filter(|is| *is).count(), 1);
        for (value, (_, bytes)) in values.iter().zip(&found) {
            assert_eq!(multiproc_wire::decode::<String>(bytes, vec![]).unwrap(), *value);
        }
        assert_eq!(
            multiproc_wire::decode::<TaskError>(found[4].1, vec![]).unwrap(),
            TaskError::Cancelled
        );
    }

    #[test]
    fn lengths_that_lie_end_the_sequence() {
        assert_eq!(slices(&[3, 1], b"abc").count(), 1);
        assert_eq!(slices(&[LONG, 1, 2], b"abc").count(), 0);
        let mut far = vec![LONG];
        far.extend_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(slices(&far, b"abc").count(), 0);
    }

    #[test]
    fn run_splits_where_the_items_end() {
        let mut sequence = Sequence::default();
        (0..10u32).for_each(|x| sequence.push(&(x * 100)).unwrap());
        let run = Run { lens: 0..sequence.lens.len(), bytes: 0..sequence.bytes.len() };
        let block =
            Block { body: Body::Memory(sequence.bytes), lens: sequence.lens, handles: vec![] };
        let (head, tail) = run.split(&block, 4);
        let Body::Memory(bytes) = &block.body else { unreachable!("it is short") };
        let read = |run: &Run| -> Vec<u32> {
            slices(&block.lens[run.lens.clone()], &bytes[run.bytes.clone()])
                .map(|(_, bytes)| multiproc_wire::decode(bytes, vec![]).unwrap())
                .collect()
        };
        assert_eq!(read(&head), [0, 100, 200, 300]);
        assert_eq!(read(&tail), [400, 500, 600, 700, 800, 900]);
    }
}
