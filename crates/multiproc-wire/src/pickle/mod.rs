//! Python's pickles: plain data in both directions, and nothing that runs.
//!
//! ```
//! use multiproc_wire::pickle::{self, Object, Protocol};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Point {
//!     x: i64,
//!     y: Option<f64>,
//! }
//!
//! let point = pickle::to_object(&Point { x: 7, y: None })?;
//! assert_eq!(point.to_string(), "{'x': 7, 'y': None}");
//!
//! let bytes = pickle::encode(&point, Protocol::default())?; // Python: pickle.loads(bytes)
//! let point: Point = pickle::from_object(pickle::decode(&bytes)?)?;
//! assert_eq!(point, Point { x: 7, y: None });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | To | use |
//! |---|---|
//! | hold a Python value | [`Object`], with [`BigInt`], [`Exception`], [`Global`] and [`Instance`] in it |
//! | read a pickle | [`decode`], [`decode_with`] |
//! | write a pickle, into a buffer of yours or a new one | [`encode_into`], [`encode`] |
//! | turn a value of yours into an object and back | [`to_object`], [`from_object`] |
//! | bound what a pickle may ask for | [`Limits`] |
//! | choose whether unknown classes are errors or opaque | [`Globals`] |
//!
//! # Choices
//!
//! - **Invariant:** nothing a pickle says is looked up, imported or called. A class or function is a
//!   name, and what it was to be called with stays as it is.
//! - **Invariant:** whatever the bytes say, reading ends, in time and memory proportional to their
//!   number and to [`Limits`], without panic and without overflowing the stack, and so does
//!   dropping the result.
//! - A value that appears twice is copied, for objects have no identity. One that contains itself
//!   is an error.
//! - Exceptions are values with a class, arguments and attributes. Their tracebacks stay at home.

mod object;
mod convert;
mod repr;
mod eq;
mod big_int;
mod exception;
mod global;
mod instance;
mod read;
mod write;
mod bridge;
mod protocol;
mod limits;
mod globals;
mod error;
mod opcode;
mod surrogates;

pub use big_int::{BigInt, ParseBigIntError};
pub use bridge::{from_object, to_object};
pub use error::{ObjectError, ObjectErrorKind, PickleError, PickleErrorKind};
pub use exception::Exception;
pub use global::Global;
pub use globals::Globals;
pub use instance::{Instance, Made};
pub use limits::Limits;
pub use object::Object;
pub use protocol::Protocol;
pub use read::{decode, decode_with};
pub use write::{encode, encode_into};
