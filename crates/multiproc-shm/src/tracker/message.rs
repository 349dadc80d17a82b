//! What a client tells the tracker: one packet each.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A name, and the block that it leads to: the tracker removes no other block that has come under the name since.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Registration {
    /// Without the leading slash.
    pub(crate) name: String,
    /// Device and inode of its file, which no other file has as long as this one exists.
    pub(crate) identity: (u64, u64),
}

impl fmt::Display for Registration {
    /// Writes the name as Python's tracker does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'/{}'", self.name.escape_debug())
    }
}

/// One packet.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Message {
    /// Remove this when all clients have ended.
    Register(Registration),
    /// It has been removed; nothing happens where it was not registered, as by a process that has only opened it.
    Unregister(Registration),
    /// Nothing: it is asked whether somebody is there to receive it.
    Probe,
}
