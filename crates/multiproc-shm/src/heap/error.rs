//! Why there is no block.

use crate::ShmError;

/// Why a block cannot be made, or not be taken out of a message.
///
/// # Python
///
/// `OSError`, `MemoryError`, `ValueError` or `OverflowError`.
///
/// # Examples
///
/// ```
/// use std::alloc::Layout;
///
/// use multiproc_shm::Block;
///
/// let err = Block::new(Layout::from_size_align(1 << 46, 8)?).unwrap_err();
/// assert!(err.is_exhausted(), "no machine has that much");
/// # Ok::<(), std::alloc::LayoutError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeapError {
    /// The alignment is larger than a page can give.
    #[error("a block aligned to {align} bytes: at most {} can be had", super::MAX_ALIGN)]
    Align {
        /// The alignment asked for, in bytes.
        align: usize,
    },

    /// There is no memory for it, or the system refused. Python raises `OSError`, `OverflowError` or `MemoryError`.
    #[error(transparent)]
    Memory(#[from] ShmError),
}

impl HeapError {
    /// Returns true if there was not enough memory, or no descriptor left, so that trying later may help.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        matches!(self, Self::Memory(err) if err.is_exhausted())
    }

    pub(super) fn foreign(what: &'static str) -> Self {
        ShmError::Foreign { what }.into()
    }
}
