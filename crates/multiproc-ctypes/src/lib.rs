//! wip

pub mod error;
mod typecode;
mod cells;
mod text;
mod raw_value;
mod raw_array;

pub use error::ArrayError;
pub use multiproc_macros::Shareable;
pub use multiproc_shm::{HeapError, Shape, Shareable};
pub use raw_array::RawArray;
pub use raw_value::RawValue;
