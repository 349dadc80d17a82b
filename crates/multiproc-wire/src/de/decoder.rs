//! What is read, how far, and how much more there may be.
//!
//! Every read knows where the bytes end.

use std::slice;

use serde::de::Visitor;

use super::access::{Counted, Fixed};
use crate::{
    Limits,
    error::{DecodeErrorKind, DecodeFault},
};

pub(super) type Result<T> = std::result::Result<T, DecodeFault>;

/// Reads one value from a slice.
pub(crate) struct Decoder<'de> {
    /// The bytes not yet read. An iterator, because it moves by one word where a slice has two.
    rest: slice::Iter<'de, u8>,
    len: usize,
    /// How many more values may stand inside this one.
    depth: usize,
    /// How many more elements there may be.
    elements: usize,
    /// How many elements we may still advise collections to make room for.
    ///
    /// Each element that takes bytes owns one that no other element owns, so the honest lengths of
    /// one message add up to at most its bytes, however they nest. Serde allots up to 1 MiB for a
    /// length that is not even true; here all of them together cannot ask for more than that.
    room: usize,
    limits: Limits,
}

impl<'de> Decoder<'de> {
    #[inline]
    pub(crate) fn new(bytes: &'de [u8], limits: Limits) -> Self {
        let len = bytes.len();
        let elements = limits.elements_for(len);
        Self { rest: bytes.iter(), len, depth: limits.depth, elements, room: len, limits }
    }

    #[inline]
    pub(crate) fn offset(&self) -> usize {
        self.len - self.rest.len()
    }

    /// Checks that nothing is left over.
    #[inline]
    pub(crate) fn finish(&self) -> Result<()> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(DecodeErrorKind::TrailingBytes { count }.into()),
        }
    }

    #[inline]
    pub(super) fn take(&mut self, len: usize) -> Result<&'de [u8]> {
        let (head, rest) = self.rest.as_slice().split_at_checked(len).ok_or_else(truncated)?;
        self.rest = rest.iter();
        Ok(head)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.rest.as_slice().split_first_chunk().ok_or_else(truncated)?;
        self.rest = rest.iter();
        Ok(*head)
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8> {
        self.rest.next().copied().ok_or_else(truncated)
    }

    /// Reads an integer of at most `BITS` bits, seven to a byte.
    #[inline]
    pub(super) fn varint<const BITS: u32>(&mut self) -> Result<u64> {
        let mut value = 0;
        for index in 0..BITS.div_ceil(7) {
            let shift = 7 * index;
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                // The last byte has fewer bits to give than it can hold.
                if BITS < shift + 7 && byte >> (BITS - shift) != 0 {
                    break;
                }
                return Ok(value);
            }
        }
        Err(invalid("integer"))
    }

    pub(super) fn varint_128(&mut self) -> Result<u128> {
        let mut value = 0;
        for shift in (0..u128::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7f);
            if bits.leading_zeros() < shift {
                return Err(invalid("integer"));
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(invalid("integer"))
    }

    #[inline]
    pub(super) fn zigzag<const BITS: u32>(&mut self) -> Result<i64> {
        let value = self.varint::<BITS>()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    #[inline]
    pub(super) fn length(&mut self) -> Result<usize> {
        // A length beyond the address space is a length beyond the bytes.
        usize::try_from(self.varint::<64>()?).map_err(|_| truncated())
    }

    #[inline]
    pub(super) fn run(&mut self) -> Result<&'de [u8]> {
        let len = self.length()?;
        self.take(len)
    }

    pub(super) fn text(&mut self) -> Result<&'de str> {
        str::from_utf8(self.run()?).map_err(|_| invalid("utf-8"))
    }

    #[inline]
    pub(super) fn count(&mut self, elements: usize) -> Result<()> {
        match self.elements.checked_sub(elements) {
            Some(left) => {
                self.elements = left;
                Ok(())
            }
            None => {
                let limit = self.limits.elements_for(self.len);
                Err(DecodeErrorKind::TooManyElements { limit }.into())
            }
        }
    }

    /// Calls `read` one level down.
    #[inline]
    pub(super) fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return Err(DecodeErrorKind::TooDeep { limit: self.limits.depth }.into());
        };
        self.depth = depth;
        let result = read(self);
        self.depth += 1;
        result
    }

    /// Visits `len` values whose number the type knows.
    #[inline]
    pub(super) fn fixed<V: Visitor<'de>>(&mut self, len: usize, visitor: V) -> Result<V::Value> {
        self.count(len)?;
        self.within(|decoder| visitor.visit_seq(Fixed { decoder, left: len }))
    }

    /// Begins a sequence or map, whose length the bytes claim.
    ///
    /// All of it is counted at once: either every element is visited, or there is an error anyway.
    #[inline]
    pub(super) fn counted(&mut self) -> Result<Counted<'_, 'de>> {
        let left = self.length()?;
        self.count(left)?;
        let hint = left.min(self.rest.len()).min(self.room);
        self.room -= hint;
        Ok(Counted { decoder: self, left, hint })
    }
}

#[cold]
#[inline(never)]
fn truncated() -> DecodeFault {
    DecodeErrorKind::Truncated.into()
}

#[cold]
#[inline(never)]
pub(super) fn invalid(what: &'static str) -> DecodeFault {
    DecodeErrorKind::Invalid { what }.into()
}
