//! Where in its memory a list keeps what: the layout of CPython.
//!
//! | bytes | from 3.9 on | 3.8 |
//! |---|---|---|
//! | 8 | number of items, n | the same |
//! | 8 each | n + 1 offsets of the items in the data, the first 0, the last the data's length | n lengths of the items |
//! | .. | the data: 8 bytes for a number, a truth value or nothing; for texts and bytes a multiple of 8 | the same |
//! | 8 n | each item's format, as `struct` has it, filled with zeroes | the same |
//! | n | each item's kind: 0 number or truth value, 1 text, 2 bytes, 3 nothing | the same |
//!
//! All numbers are in this machine's byte order. With one item or more the two can be told apart: the first offset is 0, the
//! first length is not.

use crate::{OutOfRange, SharedBytes};

use super::Item;

const WORD: usize = 8;

/// The longest text or bytes: the format has eight characters, the last of which is `s`.
pub(super) const LONGEST: usize = 9_999_999 / WORD * WORD - 1;

/// Which Python's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// 3.8.
    Lengths,
    /// 3.9 and later.
    Offsets,
}

/// Where the parts of one list lie; what somebody writes to the memory later does not change it.
#[derive(Debug)]
pub(super) struct Layout {
    // Invariant: never empty, begins with 0, never falls, and with it everything below lies within the memory.
    offsets: Vec<usize>,
    data: usize,
}

/// Where one item lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// Its value.
    pub(super) data: usize,
    /// How many bytes that may take.
    pub(super) room: usize,
    /// Its format, of eight bytes.
    pub(super) format: usize,
    /// Its kind, of one byte.
    pub(super) kind: usize,
}

impl Layout {
    /// Plans the layout of a new list.
    pub(super) fn plan(items: &[Item], version: Version) -> Self {
        let mut end = 0;
        let ends = items.iter().map(|item| {
            end += room(item);
            end
        });
        let offsets: Vec<usize> = std::iter::once(0).chain(ends).collect();
        Self { data: data_start(items.len(), version), offsets }
    }

    /// Reads the layout of a list that is there, believing nothing; an error says what is wrong.
    pub(super) fn read(bytes: SharedBytes<'_>) -> Result<Self, &'static str> {
        let short = |_: OutOfRange| "it is too short";
        let count: i64 = bytes.get(0).map_err(short)?;
        let count = usize::try_from(count).map_err(|_| "its number of items is negative")?;
        // Each takes seventeen bytes beside its data: so many words can be allocated.
        if bytes.len() / (2 * WORD) < count {
            return Err("it is too short for its number of items");
        }
        let mut words = vec![0u64; count];
        bytes.get_all(WORD, &mut words).map_err(short)?;
        let version = match words.first() {
            Some(0) => Version::Offsets,
            None if 2 * WORD <= bytes.len() => Version::Offsets,
            _ => Version::Lengths,
        };
        let mut offsets = vec![0];
        let number = |word: u64| usize::try_from(word).map_err(|_| "an offset is too large");
        match version {
            Version::Offsets => {
                let last = bytes.get((1 + count) * WORD).map_err(short)?;
                for word in words.into_iter().skip(1).chain((0 < count).then_some(last)) {
                    offsets.push(number(word)?);
                }
                if !offsets.is_sorted() {
                    return Err("its offsets are not in order");
                }
            }
            Version::Lengths => {
                let mut end = 0usize;
                for word in words {
                    end = end.checked_add(number(word)?).ok_or("an item is too long")?;
                    offsets.push(end);
                }
            }
        }
        let layout = Self { offsets, data: data_start(count, version) };
        match layout.checked_size() {
            Some(size) if size <= bytes.len() => Ok(layout),
            _ => Err("its items lie beyond its end"),
        }
    }

    /// The number of items.
    pub(super) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// How many bytes the list takes; none for more than there can be.
    pub(super) fn checked_size(&self) -> Option<usize> {
        let tables = self.len().checked_mul(WORD + 1)?;
        self.data.checked_add(self.data_len())?.checked_add(tables)
    }

    /// Where an item lies; none if there is no such item.
    pub(super) fn slot(&self, index: usize) -> Option<Slot> {
        let (start, end) = (*self.offsets.get(index)?, *self.offsets.get(index + 1)?);
        let formats = self.data + self.data_len();
        Some(Slot {
            data: self.data + start,
            room: end - start,
            format: formats + index * WORD,
            kind: formats + self.len() * WORD + index,
        })
    }

    /// Writes the number of items, and their offsets or lengths, to where they belong.
    pub(super) fn write(&self, version: Version, bytes: &mut [u8]) {
        let lengths = self.offsets.windows(2).map(|pair| pair[1] - pair[0]);
        let words: Vec<usize> = match version {
            Version::Offsets => self.offsets.clone(),
            Version::Lengths => lengths.collect(),
        };
        let words = std::iter::once(self.len()).chain(words);
        for (place, word) in bytes.chunks_exact_mut(WORD).zip(words) {
            place.copy_from_slice(&(word as u64).to_ne_bytes());
        }
    }

    fn data_len(&self) -> usize {
        self.offsets.last().copied().unwrap_or(0)
    }
}

fn data_start(count: usize, version: Version) -> usize {
    let words = match version {
        Version::Lengths => count + 1,
        Version::Offsets => count + 2,
    };
    words * WORD
}

/// How much room a new list gives an item: for texts and bytes the next multiple of eight *above* their length.
fn room(item: &Item) -> usize {
    match item {
        Item::Str(text) => above(text.len()),
        Item::Bytes(bytes) => above(bytes.len()),
        _ => WORD,
    }
}

fn above(len: usize) -> usize {
    WORD * (len / WORD + 1)
}
