//! Turns values into bytes and back, with operating system handles travelling beside them.
//!
//! ```
//! use std::os::fd::OwnedFd;
//!
//! let message = multiproc_wire::encode(&("seven", 7u32))?;
//! let handles: Vec<OwnedFd> = Vec::new();
//! let (name, number): (String, u32) = multiproc_wire::decode(&message.bytes, handles)?;
//! assert_eq!((name.as_str(), number), ("seven", 7));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate does no input or output: it neither opens, sends nor receives anything.
//!
//! | To | use |
//! |---|---|
//! | write a value, reusing buffers or not | [`encode_into`], [`encode`] |
//! | read a value | [`decode`], [`decode_with`] |
//! | read values that were appended one by one, each by itself | [`decode_items`], [`decode_plain`] |
//! | keep an encoded value to be read later, also inside another message | [`Message`] |
//! | own a descriptor in a type of yours that can be sent | [`Handle`] |
//! | send many values that need one descriptor | [`CommonHandle`] |
//! | send a [`File`](std::fs::File), a socket, a pipe end | [`Fd`], or `#[serde(with = "multiproc_wire::fd")]` |
//! | bound what a decoder may do | [`Limits`] |
//!
//! # How handles travel
//!
//! While a value is written, a *transfer* stands open on the thread: each [`Handle`] in the value
//! joins it, and the bytes hold only its index. The receiver opens a transfer with the descriptors
//! that came beside the bytes, and each index takes one of them. So a handle can sit anywhere in a
//! value, any number of them, and in types that know nothing of this crate. With no transfer open,
//! to serialise a handle is an error that says so, never a panic.
//!
//! # Choices
//!
//! - The bytes are [postcard]'s, one for one: small, and simple enough to be read by others. It is
//!   not self-describing, so `#[serde(flatten)]`, `untagged` and their like fail with an error.
//! - The coder is our own. It bounds depth, counts elements, believes no length, keeps the texts of
//!   custom errors and says at which byte it stopped, for none of which postcard has a place.
//! - **Invariant:** what encodes also decodes. Both sides count alike, so a value beyond the
//!   [`Limits`] is refused by its sender, who can tell why, not by its receiver.
//! - **Invariant:** whatever the bytes say, decoding ends, in time and memory proportional to their
//!   number, without panic and without overflowing the stack.
//!
//! # Crate features
//!
//! - **python** (off by default): the module `pickle`, to talk to Python's `multiprocessing`.
//!
//! [postcard]: https://postcard.jamesmunns.com/wire-format
#![forbid(unsafe_code)]

mod message;
mod items;
mod handle;
mod common_handle;
pub mod fd;
mod limits;
mod error;
mod transfer;
mod ser;
mod de;
mod byte_buf;
#[cfg(feature = "python")]
pub mod pickle;

pub use common_handle::CommonHandle;
pub use error::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind};
pub use fd::Fd;
pub use handle::{Handle, is_reading, is_writing};
pub use items::{decode_items, decode_plain};
pub use limits::Limits;
pub use message::{
    Message, decode, decode_with, encode, encode_into, encode_into_with, encode_spilling,
};
