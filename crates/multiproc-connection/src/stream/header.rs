//! What stands before a message.

use crate::RecvError;

/// The longest message of the short form.
const SHORT: u64 = 0x7fff_ffff;
const LONG: i32 = -1;
const HANDLES: i32 = -2;

/// The most bytes that a header has.
pub(super) const MOST: usize = 16;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) length: u64,
    pub(super) handles: u32,
}

impl Header {
    /// Writes the header and returns how long it is.
    pub(super) fn write(self, to: &mut [u8; MOST]) -> usize {
        if 0 < self.handles {
            to[..4].copy_from_slice(&HANDLES.to_be_bytes());
            to[4..8].copy_from_slice(&self.handles.to_be_bytes());
            to[8..].copy_from_slice(&self.length.to_be_bytes());
            16
        } else if SHORT < self.length {
            to[..4].copy_from_slice(&LONG.to_be_bytes());
            to[4..12].copy_from_slice(&self.length.to_be_bytes());
            12
        } else {
            // Its two halves: the upper is zero.
            to[..4].copy_from_slice(&self.length.to_be_bytes()[4..]);
            4
        }
    }

    /// How many bytes there are to read, as far as the first ones tell.
    pub(super) fn wanted(bytes: &[u8; MOST], have: usize) -> usize {
        match i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) {
            LONG if 4 <= have => 12,
            HANDLES if 4 <= have => 16,
            _ => 4,
        }
    }

    /// Reads a header of which all wanted bytes are there.
    pub(super) fn read(bytes: &[u8; MOST]) -> Result<Self, RecvError> {
        let wide = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            u64::from_be_bytes(number)
        };
        match i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) {
            LONG => Ok(Self { length: wide(4), handles: 0 }),
            HANDLES => match u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) {
                0 => Err(RecvError::Malformed),
                handles => Ok(Self { length: wide(8), handles }),
            },
            short => match u64::try_from(short) {
                Ok(length) => Ok(Self { length, handles: 0 }),
                Err(_) => Err(RecvError::Malformed),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(length: u64, handles: u32) -> Vec<u8> {
        let mut bytes = [0; MOST];
        let len = Header { length, handles }.write(&mut bytes);
        assert_eq!(Header::wanted(&bytes, len), len);
        assert_eq!(Header::read(&bytes).unwrap(), Header { length, handles });
        bytes[..len].to_vec()
    }

    // parity: connection.wire-header, connection.wire-header-huge
    #[test]
    fn forms_are_those_of_python() {
        assert_eq!(written(0, 0), [0; 4]);
        assert_eq!(written(0x0102_0304, 0), [1, 2, 3, 4]);
        assert_eq!(written(0x7fff_ffff, 0), [0x7f, 255, 255, 255]);
        assert_eq!(written(0x8000_0000, 0), [255, 255, 255, 255, 0, 0, 0, 0, 128, 0, 0, 0]);
        assert_eq!(written(u64::MAX, 0), [255; 12]);
        assert_eq!(written(5, 3), [255, 255, 255, 254, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 5]);
    }

    #[test]
    fn other_numbers_are_no_header() {
        for first in [-3i32, i32::MIN] {
            let mut bytes = [0; MOST];
            bytes[..4].copy_from_slice(&first.to_be_bytes());
            assert!(matches!(Header::read(&bytes), Err(RecvError::Malformed)));
        }
        let mut bytes = [0; MOST];
        bytes[..4].copy_from_slice(&HANDLES.to_be_bytes());
        assert!(matches!(Header::read(&bytes), Err(RecvError::Malformed)));
    }
}
