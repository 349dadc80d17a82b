//! Queues between processes, in shared memory, that a kill cannot corrupt.
//!
//! ```
//! use multiproc_queue::Queue;
//!
//! let q = Queue::<String>::new()?;
//! q.put("hello".into())?; // In this process, or in one that got a handle as an argument or in a message.
//! assert_eq!(q.get()?, "hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | type | what it is |
//! |---|---|
//! | [`Queue`] | any number of processes put, any number take; bounded or not |
//! | [`JoinableQueue`] | the same, whose items are marked as done, so that one can wait for all |
//! | [`SimpleQueue`] | put, get, empty, close |
//! | [`Sender`], [`Receiver`] | the halves of a queue, which learn exactly when nobody has the other |
//! | [`Postcard`], [`Plain`], [`PlainVec`], `Pickle` | how items become bytes: the second parameter of each queue |
//!
//! # Which to take
//!
//! [`Queue`], unless there is a reason. Items of every type that serde knows can be put, with connections, descriptors,
//! locks and other queues in them. Where the items are numbers or plain structs, [`Plain`] copies them and does nothing
//! else, several times as fast.
//!
//! # What a queue costs
//!
//! Four descriptors in each process, a page of memory while it is empty, and up to a quarter of a mebibyte (or the length
//! of the four longest items of late) while it is in use. What a backlog took is given back when it is drained. It needs
//! a gibibyte of address range, or less where a limit forbids it.
//!
//! # Crate features
//!
//! - **python** (off by default): the codec `Pickle`.
//! - **tokio** (off by default): `get_async` of [`Queue`] and [`Receiver`], `put_async` of [`Queue`] and [`Sender`].

mod ring;
pub mod codec;
mod error;
mod core;
mod buffer;
mod port;
mod feeder;
mod calls;
mod batch;
mod queue;
mod iter;
mod sender;
mod receiver;
mod simple_queue;
mod joinable_queue;
#[cfg(feature = "tokio")]
mod awaited;
#[cfg(test)]
mod properties;

#[cfg(feature = "python")]
pub use codec::Pickle;
pub use codec::{Plain, PlainVec, Postcard};
pub use error::{
    Broken, Closed, CodecError, GetError, JoinError, NotClosed, PutError, QueueError, TooManyDone,
    TryGetError, TryPutError,
};
pub use iter::{Iter, IterUntil};
pub use joinable_queue::JoinableQueue;
pub use queue::Queue;
pub use receiver::Receiver;
pub use sender::Sender;
pub use simple_queue::SimpleQueue;
