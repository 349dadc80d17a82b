//! Whether the kernel has ended processes for want of memory.

use crate::groups::{Group, struck_here};

/// What tells it of one worker.
#[derive(Debug)]
pub(crate) enum OutOfMemory {
    /// The group that it has for itself.
    Group(Group),
    /// How often the kernel had struck in the group of this process when the worker was started, if that can be known.
    Before(Option<u64>),
}

impl OutOfMemory {
    /// Looks, unless the worker has a group for itself.
    pub(crate) fn now(group: Option<Group>) -> Self {
        group.map_or_else(|| Self::Before(struck_here()), Self::Group)
    }

    /// True if it has struck since.
    pub(crate) fn has_struck(&self) -> bool {
        match self {
            Self::Group(group) => group.has_struck(),
            Self::Before(before) => before.is_some() && struck_here() > *before,
        }
    }
}
