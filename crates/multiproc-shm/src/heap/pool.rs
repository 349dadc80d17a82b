//! The segments that this process allocates in, for one kind of blocks.

use super::{attachment::HEADER, hold::Key};

/// What blocks a segment is for.
///
/// All that a process holds of a segment is a list of ranges in the kernel, which goes through it from the start. So a
/// segment has room for some thousand blocks, whatever their size, and the small ones do not lie among the large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tiny,
    Small,
    Medium,
    Large,
    /// One block has the segment for itself.
    Alone,
}

const PAGE: usize = 4096;

impl Kind {
    /// The kinds of which many blocks share a segment.
    pub(super) const POOLED: [Self; 4] = [Self::Tiny, Self::Small, Self::Medium, Self::Large];

    pub(super) fn of(len: usize) -> Self {
        let fits = |kind: &Self| len <= kind.limits().0;
        Self::POOLED.into_iter().find(fits).unwrap_or(Self::Alone)
    }

    /// The length of the longest block, the size of the first segment, and that of the largest.
    fn limits(self) -> (usize, usize, usize) {
        match self {
            Self::Tiny => (16, 32 << 10, 128 << 10),
            Self::Small => (32, 32 << 10, 256 << 10),
            Self::Medium => (1 << 10, 64 << 10, 512 << 10),
            Self::Large => (1 << 20, 256 << 10, 4 << 20),
            Self::Alone => (usize::MAX, 0, 0),
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
        let (_, first, most) = self.limits();
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
