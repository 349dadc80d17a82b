//! Values and arrays in memory that processes share: Python's `sharedctypes`.
//!
//! ```
//! use multiproc_ctypes::{Array, Shareable, Value};
//!
//! #[derive(Clone, Copy, Debug, PartialEq, Shareable)]
//! #[shareable(crate = multiproc_ctypes)] // Not needed with the facade, `multiproc`.
//! struct Point {
//!     x: f64,
//!     y: f64,
//! }
//!
//! let total = Value::new(7)?;
//! let points = Array::from_slice(&[Point { x: 1.5, y: -6.25 }, Point { x: 2.5, y: 3.0 }])?;
//!
//! // In this process, or in any that they are sent to:
//! total.update(|total| *total *= 6)?;
//! for point in points.lock()?.iter_mut() {
//!     point.x *= point.x;
//! }
//!
//! assert_eq!(total.get()?, 42);
//! assert_eq!(points.get(1)?, Point { x: 6.25, y: 3.0 });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | type | what it is |
//! |---|---|
//! | [`Value`] | one value and a lock: a guard derefs to it |
//! | [`Array`] | an array and a lock: a guard derefs to a slice |
//! | [`RawValue`], [`RawArray`] | the same without a lock: values are copied in and out |
//! | [`Synchronized`] | a raw object with a lock beside it, made by [`synchronized`] |
//! | [`Shareable`] | what can lie there: numbers, `bool`, `char`, arrays, tuples, and structs that derive it |
//! | [`typecode!`] | the types by Python's letters |
//!
//! All of them are handles: a clone, what arrives when one is sent, and what a forked child has are the same memory, which
//! is freed with the last of them.
//!
//! # Which to take
//!
//! A [`Value`] or an [`Array`], under whose guard the data are as fast as any. The raw ones where each process has items
//! of its own to write, or where one writes and an old value does no harm. `Mutex` of `multiproc_sync`, where data that
//! somebody has left half changed must not be used.
//!
//! # What is promised
//!
//! Safe code gets no reference to memory that somebody else changes at that time, in whatever process, whoever is killed
//! and however locks are misused. README.md beside the code says why that is so, and whom one has to trust for it.
//!
//! # Crate features
//!
//! None.

pub mod error;
mod typecode;
mod cells;
mod text;
mod raw_value;
mod raw_array;
mod locking;
mod guarded;
mod value;
mod array;
mod synchronized;

pub use array::{Array, ArrayGuard};
pub use error::{AccessError, ArrayError};
pub use locking::Locking;
pub use multiproc_macros::Shareable;
pub use multiproc_shm::{HeapError, Shape, Shareable};
pub use raw_array::RawArray;
pub use raw_value::RawValue;
pub use synchronized::{Raw, Synchronized, SynchronizedGuard, copy, synchronized};
pub use value::{Value, ValueGuard};
