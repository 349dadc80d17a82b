//! How items become bytes: the second parameter of every queue.

mod code;
mod landing;
mod postcard;
mod plain;
#[cfg(feature = "python")]
mod pickle;

#[doc(hidden)]
pub use code::Code;
pub(crate) use landing::land_behind;
#[doc(hidden)]
pub use landing::{Landing, Row, Spot};
#[cfg(feature = "python")]
pub use pickle::Pickle;
pub use plain::{Plain, PlainVec};
pub use postcard::Postcard;
