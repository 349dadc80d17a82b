//! What can go wrong.

use std::io;

use multiproc_image::StartError;

/// Bytes that do not lie within a block.
///
/// # Python
///
/// `IndexError` or `ValueError`; `struct.error` where a value was to be packed.
///
/// # Examples
///
/// ```
/// let segment = multiproc_shm::Segment::new(16)?;
/// let err = segment.bytes().write(10, b"too many bytes").unwrap_err();
/// assert_eq!(err.to_string(), "bytes 10..24 of a block of 16 bytes");
/// # Ok::<(), multiproc_shm::ShmError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bytes {offset}..{} of a block of {size} bytes", offset.saturating_add(*len))]
pub struct OutOfRange {
    /// Where the bytes begin.
    pub offset: usize,
    /// How many they are.
    pub len: usize,
    /// The block's size in bytes.
    pub size: usize,
}

/// Why there is no shared memory, or why it cannot be used as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShmError {
    /// A block of no bytes, or of more than can be addressed. Python raises `ValueError`.
    #[error("a block of {size} bytes: the size must be between 1 and {}", isize::MAX)]
    InvalidSize {
        /// The size asked for, in bytes.
        size: usize,
    },

    /// The name cannot be that of a block. Python raises `ValueError` or `OSError`.
    #[error("name {name:?} {reason}")]
    InvalidName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A block of this name is there already. Python raises `FileExistsError`.
    #[error("shared memory {name:?} exists already: open it, or choose another name")]
    Exists {
        /// The name.
        name: String,
    },

    /// There is no block of this name. Python raises `FileNotFoundError`.
    #[error("no shared memory is called {name:?}: it was never made, or has been unlinked")]
    NotFound {
        /// The name.
        name: String,
    },

    /// The block has no bytes: whoever makes it has not given it a size yet. Python raises `ValueError`.
    #[error("shared memory {name:?} is empty: its maker has not yet given it a size, so try again")]
    Empty {
        /// The name.
        name: String,
    },

    /// There is not enough memory for the block. Python kills the process by SIGBUS later.
    #[error("no room for {size} bytes in {place}: {advice}")]
    NoSpace {
        /// How many bytes were asked for.
        size: u64,
        /// Where.
        place: &'static str,
        /// What can be done.
        advice: String,
        /// What the system said.
        source: io::Error,
    },

    /// A descriptor from another process is not what it should be. Python raises `ValueError`.
    #[error("received {what}")]
    Foreign {
        /// What is wrong with it.
        what: &'static str,
    },

    /// The tracker, which removes names that a killed program leaves behind, cannot be started.
    ///
    /// Python raises whatever starting its tracker raises.
    #[error("failed to start the tracker of named memory; `track(false)` does without")]
    Tracker {
        /// Why.
        source: StartError,
    },

    /// Bytes that do not lie within the block. Python raises `IndexError`, `ValueError` or `struct.error`.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),

    /// The operating system refused. Python raises `OSError`.
    #[error("failed to {what}")]
    Os {
        /// What was tried.
        what: String,
        /// Its reason.
        source: io::Error,
    },
}

/// Why a list in shared memory cannot be made, opened or used as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// There is no memory for it, or none under its name. Python raises `OSError`, `FileExistsError` and the like.
    #[error(transparent)]
    Memory(#[from] ShmError),

    /// There is no item at this position. Python raises `IndexError`.
    #[error("item {index} of a list of {len}")]
    IndexOutOfRange {
        /// The position asked for; negative ones count from the end.
        index: isize,
        /// How many items there are.
        len: usize,
    },

    /// A text or byte string does not fit where it was to be stored, and what was there is unchanged.
    ///
    /// Python raises `ValueError` with these words.
    #[error("bytes/str item of {size} bytes exceeds available storage of {room} bytes")]
    TooLarge {
        /// Its length in bytes.
        size: usize,
        /// How much room there is, fixed when the list was made.
        room: usize,
    },

    /// No item equals the one asked for. Python raises `ValueError`.
    #[error("no item of the list is equal to that")]
    Absent,

    /// What lies in the memory is no list, or somebody has damaged it. Python raises this or that, or returns garbage.
    #[error("shared memory {name:?} holds no intact list: {what}")]
    Malformed {
        /// The memory's name.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl ShmError {
    /// Returns true if there was not enough memory, or no descriptor left, so that trying later may help.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        match self {
            Self::NoSpace { .. } => true,
            Self::Tracker { source } => source.is_exhausted(),
            Self::Os { source, .. } => {
                matches!(
                    source.raw_os_error(),
                    Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOSPC)
                )
            }
            _ => false,
        }
    }

    /// Makes a function that wraps the system's error with what was tried.
    pub(crate) fn os(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Os { what: what.into(), source }
    }
}

/// Returns true if the system says that there is no memory left for what was to be reserved.
pub(crate) fn is_out_of_memory(err: &io::Error) -> bool {
    matches!(err.raw_os_error(), Some(libc::ENOSPC | libc::ENOMEM | libc::EDQUOT))
}
