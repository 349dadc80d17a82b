//! The segments that this process allocates in, for one kind of blocks.

use super::{attachment::HEADER, hold::Key};

/// What blocks a segment is for. Small ones lie apart, in segments that are not too large: every piece that a process
/// holds of a segment is one entry in a list of the kernel, which it goes through from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Small,
    Medium,
    /// One block has the segment for itself.
    Large,
}

const PAGE: usize = 4096;
/// Blocks above this are medium.
const SMALL: usize = 1024;
/// Blocks above this are large.
const MEDIUM: usize = 1 << 20;

impl Kind {
    pub(super) fn of(len: usize) -> Self {
        if len <= SMALL {
            Self::Small
        } else if len <= MEDIUM {
            Self::Medium
        } else {
            Self::Large
        }
    }

    /// How large the next segment is to be, and how large it has to be, for a block that takes up `span` bytes, where
    /// there are `segments` already. `None` if that is more than can be addressed.
    pub(super) fn sizes(
        self,
        span: usize,
        align: usize,
        segments: usize,
    ) -> Option<(usize, usize)> {
        let least = HEADER.max(align).checked_add(span)?.checked_next_multiple_of(PAGE)?;
        let (first, most) = match self {
            Self::Small => (64 << 10, 512 << 10),
            Self::Medium => (256 << 10, 4 << 20),
            Self::Large => (0, 0),
        };
        let doubled = first << segments.min(8);
        Some((doubled.min(most).max(least), least))
    }
}

/// The segments of one kind, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) segments: Vec<Key>,
    /// How many blocks are lent, or were when it was last looked, and how many may be before it is looked again.
    pub(super) lent: usize,
    pub(super) patience: usize,
}
