//! Memory that processes share.
//!
//! ```
//! use multiproc_shm::{Segment, SharedMemory};
//!
//! multiproc_image::entry::init(); // Or `#[multiproc::main]`: the tracker of names is a copy of this program.
//!
//! // With a name, for any program that knows it.
//! let memory = SharedMemory::create(1024)?;
//! memory.buf().write(0, b"howdy")?;
//! assert_eq!(SharedMemory::open(memory.name())?.buf().slice(..5)?.to_vec(), b"howdy");
//! memory.unlink()?;
//!
//! // Without, for those to whom it is sent.
//! let segment = Segment::new(4096)?;
//! segment.bytes().set(8, &1.5)?;
//! assert_eq!(segment.bytes().get::<f64>(8)?, 1.5);
//! # Ok::<(), multiproc_shm::ShmError>(())
//! ```
//!
//! | type | what it is |
//! |---|---|
//! | [`SharedMemory`] | Python's: a block with a name, opened by Rust and Python alike |
//! | [`ShareableList`] | Python's: a list of numbers, texts and bytes in such a block |
//! | [`Segment`] | memory without a name: a sealed file that cannot shrink, freed with its last holder |
//! | [`Block`] | a piece of memory among many in one segment, freed with its last handle in any process |
//! | [`Shareable`] | the types whose values can lie there |
//! | [`SharedBytes`] | the bytes of any: copied in and out, or atomics; never a slice, because others write to them |
//! | [`Table`] | the processes that share locks, by names that end with them |
//!
//! # Which to take
//!
//! Memory without a name leaves nothing behind, needs no `/dev/shm` and no [`tracker`], and nobody can cut it short. A name
//! is for programs that did not start one another, Python's above all. Both travel inside messages.
//!
//! All memory is reserved when it is made, so a full `/dev/shm` or a limit is an error there, not a signal later. What it
//! costs is that a block takes all its memory at once; [`Segment::sparse`] does not.
//!
//! # Crate features
//!
//! None.

pub mod error;
pub mod copy;
mod memory;
mod mapping;
mod shared_bytes;
mod shareable;
mod segment;
pub mod heap;
mod shared_memory;
mod shareable_list;
pub mod tracker;
mod table;

pub use error::{ListError, OutOfRange, ShmError};
pub use heap::{Block, HeapError};
pub use segment::Segment;
pub use shareable::{Shape, Shareable};
pub use shareable_list::{Item, ListBuilder, ShareableList};
pub use shared_bytes::SharedBytes;
pub use shared_memory::{Builder, SharedMemory};
pub use table::{Life, Table, TableError, Watch};

/// What a type promises so that its values can be read from and written to shared memory.
pub use bytemuck::{AnyBitPattern, NoUninit};

// A test that makes tracked names starts the tracker.
#[cfg(test)]
multiproc_image::auto_init!();
