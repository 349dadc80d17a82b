//! The bytes of a pickle, and how far they are read.
//!
//! Every read knows where the bytes end.

use super::Result;
use crate::pickle::{PickleError, PickleErrorKind};

pub(super) struct Source<'a> {
    rest: &'a [u8],
    len: usize,
    /// Where the opcode stands that is being followed.
    at: usize,
}

impl<'a> Source<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, len: bytes.len(), at: 0 }
    }

    /// Returns the place of the opcode that is being followed.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Returns an error at the opcode that is being followed.
    #[cold]
    pub(super) fn fault(&self, kind: PickleErrorKind) -> PickleError {
        PickleError::new(self.at, kind)
    }

    #[cold]
    pub(super) fn invalid(&self, what: &'static str) -> PickleError {
        self.fault(PickleErrorKind::Invalid { what })
    }

    pub(super) fn opcode(&mut self) -> Result<u8> {
        self.at = self.len - self.rest.len();
        let [opcode] = self.array()?;
        Ok(opcode)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let Some((head, rest)) = self.rest.split_first_chunk() else {
            return Err(self.fault(PickleErrorKind::Truncated));
        };
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8]> {
        // A length beyond the address space is a length beyond the bytes.
        let len = usize::try_from(len).ok();
        let Some((head, rest)) = len.and_then(|len| self.rest.split_at_checked(len)) else {
            return Err(self.fault(PickleErrorKind::Truncated));
        };
        self.rest = rest;
        Ok(head)
    }

    /// Reads a length of one byte, and so many bytes.
    pub(super) fn run_1(&mut self) -> Result<&'a [u8]> {
        let len = self.byte()?;
        self.take(len.into())
    }

    /// Reads a length of four bytes, and so many bytes.
    pub(super) fn run_4(&mut self) -> Result<&'a [u8]> {
        let len = u32::from_le_bytes(self.array()?);
        self.take(len.into())
    }

    /// Reads a length of four bytes with a sign, and so many bytes.
    pub(super) fn run_signed(&mut self) -> Result<&'a [u8]> {
        let len = i32::from_le_bytes(self.array()?);
        let len = u64::try_from(len).map_err(|_| self.invalid("length"))?;
        self.take(len)
    }

    /// Reads a length of eight bytes, and so many bytes.
    pub(super) fn run_8(&mut self) -> Result<&'a [u8]> {
        let len = u64::from_le_bytes(self.array()?);
        self.take(len)
    }

    /// Reads the rest of a line.
    pub(super) fn line(&mut self) -> Result<&'a [u8]> {
        let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') else {
            return Err(self.fault(PickleErrorKind::Truncated));
        };
        let (line, rest) = self.rest.split_at(end);
        self.rest = &rest[1..];
        Ok(line)
    }

    /// Reads the rest of a line, which is text.
    pub(super) fn text_line(&mut self) -> Result<&'a str> {
        let line = self.line()?;
        str::from_utf8(line).map_err(|_| self.invalid("utf-8"))
    }

    /// Checks that a frame does not end beyond the bytes; it has no other meaning here.
    pub(super) fn frame(&mut self) -> Result<()> {
        let len = u64::from_le_bytes(self.array()?);
        match self.rest.len() as u64 {
            rest if rest < len => Err(self.fault(PickleErrorKind::Truncated)),
            _ => Ok(()),
        }
    }

    /// Checks that nothing is left over.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.at = self.len - self.rest.len();
        match self.rest.len() {
            0 => Ok(()),
            count => Err(self.fault(PickleErrorKind::TrailingBytes { count })),
        }
    }
}
