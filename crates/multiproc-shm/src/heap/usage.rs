//! What this process has of the heap.

use super::table;

/// What this process has of the heap, at one moment.
///
/// # Python
///
/// Fields of `multiprocessing.heap.Heap` that begin with an underscore.
///
/// # Examples
///
/// ```
/// use std::alloc::Layout;
///
/// use multiproc_shm::{Block, heap};
///
/// let block = Block::new(Layout::new::<[u64; 100]>())?;
/// let usage = heap::usage();
/// assert!(0 < usage.held && 0 < usage.segments && 800 <= usage.bytes - usage.free);
/// drop(block);
/// # Ok::<(), multiproc_shm::HeapError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Segments that this process has made, each of which takes one descriptor.
    pub segments: usize,
    /// Segments of other processes that it holds blocks in, each of which takes one descriptor.
    pub received: usize,
    /// Bytes of shared memory of the segments that it has made.
    pub bytes: usize,
    /// How many of these bytes can be had for new blocks.
    pub free: usize,
    /// Blocks to which this process has handles.
    pub held: usize,
    /// Blocks of this process to which it has no handle any more, but others have.
    pub lent: usize,
}

/// Tells what this process has of the heap, after it has taken back what others hold no longer.
#[must_use]
pub fn usage() -> Usage {
    table::usage()
}
