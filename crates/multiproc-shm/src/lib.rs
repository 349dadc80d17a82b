//! Memory that processes share.
//!
//! ```
//! use multiproc_shm::Segment;
//!
//! let segment = Segment::new(4096)?; // Goes with any message as a descriptor.
//! segment.bytes().write(0, b"howdy")?;
//! assert_eq!(segment.bytes().slice(..5)?.to_vec(), b"howdy");
//! # Ok::<(), multiproc_shm::ShmError>(())
//! ```
//!
//! | type | what it is |
//! |---|---|
//! | [`Segment`] | memory without a name: a sealed file that cannot shrink, freed with its last holder |
//! | [`SharedBytes`] | the bytes: copied in and out, or atomics; never a slice, because others write to them |
//!
//! Memory is reserved when it is made, so a full `/dev/shm` or a limit is an error, not a signal later.

pub mod error;
pub mod copy;
mod memory;
mod mapping;
mod shared_bytes;
mod segment;
mod shared_memory;
mod shareable_list;
pub mod tracker;

pub use error::{ListError, OutOfRange, ShmError};
pub use segment::Segment;
pub use shareable_list::{Item, ListBuilder, ShareableList};
pub use shared_bytes::SharedBytes;
pub use shared_memory::{Builder, SharedMemory};

/// What a type promises so that its values can be read from and written to shared memory.
pub use bytemuck::{AnyBitPattern, NoUninit};

// A test that makes tracked names starts the tracker.
#[cfg(test)]
multiproc_image::auto_init!();
