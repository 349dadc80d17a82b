//! What is written, and how much of it.

use std::{io, mem};

use serde::ser;

use super::compound::Counted;
use crate::{
    Limits,
    error::{EncodeErrorKind, EncodeFault},
};

pub(super) type Result<T> = std::result::Result<T, EncodeFault>;

/// Appends one value to a buffer, and takes it back unless it is finished.
pub(crate) struct Encoder<'a> {
    /// The caller's buffer, held by value while we write: one step less to each byte.
    pub(super) bytes: Vec<u8>,
    home: &'a mut Vec<u8>,
    /// Where the value begins, or its end once it is finished.
    start: usize,
    /// How many more values may stand inside this one.
    depth: usize,
    /// How many elements and fields there were so far.
    pub(super) elements: usize,
    pub(super) limits: Limits,
    /// Where long runs of bytes go, and how many bytes have gone there.
    spill: Option<&'a mut Spill<'a>>,
    spilled: usize,
}

/// Takes bytes in their order.
pub(crate) type Spill<'a> = dyn FnMut(&[u8]) -> io::Result<()> + 'a;

/// A run of bytes that is spilled.
const LONG: usize = 1 << 20;

impl<'a> Encoder<'a> {
    #[inline]
    pub(crate) fn new(home: &'a mut Vec<u8>, limits: Limits) -> Self {
        let bytes = mem::take(home);
        let start = bytes.len();
        let depth = limits.depth;
        Self { bytes, home, start, depth, elements: 0, limits, spill: None, spilled: 0 }
    }

    /// Has long runs of bytes, and what is before them, go to `spill`.
    #[inline]
    pub(crate) fn spilling(mut self, spill: &'a mut Spill<'a>) -> Self {
        self.spill = Some(spill);
        self
    }

    /// Checks the whole. If anything was spilled, what is left is too.
    #[inline]
    pub(crate) fn finish_spilling(&mut self) -> Result<bool> {
        if self.spilled == 0 {
            self.finish()?;
            return Ok(false);
        }
        self.check(0)?;
        self.spill(&[])?;
        Ok(true)
    }

    #[inline]
    pub(super) fn run(&mut self, run: &[u8]) -> Result<()> {
        if run.len() >= LONG && self.spill.is_some() {
            return self.spill(run);
        }
        self.bytes.extend_from_slice(run);
        Ok(())
    }

    #[cold]
    fn spill(&mut self, run: &[u8]) -> Result<()> {
        let Some(spill) = &mut self.spill else { return Ok(()) };
        let spilled = spill(&self.bytes[self.start..]).and_then(|()| spill(run));
        spilled.map_err(<EncodeFault as ser::Error>::custom)?;
        self.spilled += self.bytes.len() - self.start + run.len();
        self.bytes.truncate(self.start);
        Ok(())
    }

    /// Checks the whole and keeps it.
    #[inline]
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.check(0)?;
        self.start = self.bytes.len();
        Ok(())
    }

    #[inline]
    pub(super) fn enter(&mut self, elements: usize) -> Result<&mut Self> {
        match self.depth.checked_sub(1) {
            Some(depth) => self.depth = depth,
            None => return Err(EncodeErrorKind::TooDeep { limit: self.limits.depth }.into()),
        }
        self.elements = self.elements.saturating_add(elements);
        Ok(self)
    }

    #[inline]
    pub(super) fn leave(&mut self) {
        self.depth += 1;
    }

    /// Checks that so many elements more are not too many for the bytes so far.
    #[inline]
    pub(super) fn check(&mut self, more: usize) -> Result<()> {
        let limit = self.limits.elements_for(self.bytes.len() - self.start + self.spilled);
        if limit < self.elements.saturating_add(more) {
            return Err(EncodeErrorKind::TooManyElements { limit }.into());
        }
        Ok(())
    }

    #[inline]
    pub(super) fn varint(&mut self, value: u64) {
        if value < 0x80 {
            return self.bytes.push(value as u8);
        }
        let (bytes, len) = if value < 1 << 56 { spread(value) } else { spread_long(value) };
        self.front_of(&bytes.to_le_bytes(), len);
    }

    /// Appends the first `len` bytes. A copy of fixed length is two instructions, one of any length is a call.
    #[inline]
    fn front_of<const N: usize>(&mut self, bytes: &[u8; N], len: usize) {
        let end = self.bytes.len() + len;
        self.bytes.extend_from_slice(bytes);
        self.bytes.truncate(end);
    }

    pub(super) fn varint_128(&mut self, mut value: u128) {
        while 0x80 <= value {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    #[inline]
    pub(super) fn zigzag(&mut self, value: i64) {
        self.varint((value << 1 ^ value >> 63).cast_unsigned());
    }

    #[inline]
    pub(super) fn counted<'b>(&'b mut self, len: Option<usize>) -> Result<Counted<'b, 'a>> {
        let len = len.ok_or(EncodeErrorKind::UnknownLength)?;
        self.varint(len as u64);
        Ok(Counted::new(self.enter(0)?, len))
    }

    #[inline]
    pub(super) fn variant(&mut self, index: u32, fields: usize) -> Result<&mut Self> {
        self.varint(index.into());
        self.enter(fields)
    }
}

/// A number in groups of seven bits, all but the last marked, and how many bytes those are. A function of numbers alone:
/// around a call that is given the encoder, all of it would have to be in memory.
#[inline(never)]
fn spread(value: u64) -> (u128, usize) {
    // Seven bits to each byte, all at once: the number of turns of a loop is hard to predict.
    let len = (63 - value.leading_zeros()) as usize / 7 + 1;
    let spread = (0..8).fold(0, |all, at| all | (value << at) & (0x7f << (8 * at)));
    let more = 0x8080_8080_8080_8080 & ((1 << (8 * (len - 1))) - 1);
    ((spread | more).into(), len)
}

/// The same for those of more than 56 bits.
#[cold]
fn spread_long(value: u64) -> (u128, usize) {
    let len = (63 - value.leading_zeros()) as usize / 7 + 1;
    let byte = |at| u128::from(value >> (7 * at) & 0x7f) | if at + 1 < len { 0x80 } else { 0 };
    ((0..len).fold(0, |all, at| all | byte(at) << (8 * at)), len)
}

impl Drop for Encoder<'_> {
    #[inline]
    fn drop(&mut self) {
        self.bytes.truncate(self.start);
        *self.home = mem::take(&mut self.bytes);
    }
}
