//! What a receiver lets a message be.

/// The longest message that a stream takes unless another limit is named: 1 GiB.
pub(crate) const DEFAULT: u64 = 1 << 30;

/// What a receiver lets a message be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The longest, in bytes.
    pub(crate) bytes: u64,
    /// Whether descriptors may come along.
    pub(crate) handles: bool,
}

impl Bounds {
    /// Any descriptors, and at most so many bytes.
    pub(crate) fn bytes(bytes: u64) -> Self {
        Self { bytes, handles: true }
    }

    /// No descriptors, and at most so many bytes.
    pub(crate) fn plain(bytes: u64) -> Self {
        Self { bytes, handles: false }
    }
}
