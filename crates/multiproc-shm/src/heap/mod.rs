//! The heap: many small blocks in few segments, each freed when its last handle anywhere goes.
//!
//! README.md beside this file tells how it is known who holds what, whoever dies when.

mod error;
mod block;
mod hold;
mod table;
mod pool;
mod attachment;
mod arena;
mod fork;
mod usage;
#[cfg(test)]
mod tests;

pub use block::Block;
pub use error::HeapError;
pub use usage::{Usage, usage};

/// The largest alignment of a block: that of a page, which is where a segment is mapped.
const MAX_ALIGN: usize = 4096;
