//! Pipes between processes that carry typed values and operating system handles.
//!
//! ```
//! use multiproc_connection::pipe;
//!
//! let (client, server) = pipe::<u32, String>()?;
//! client.send(&7)?;
//! assert_eq!(server.recv()?, 7);
//! server.send(&"seven".to_owned())?;
//! assert_eq!(client.recv()?, "seven");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An end goes to another process as an argument, or as a message over an end that is there already.
//!
//! | Type | what it is |
//! |---|---|
//! | [`Connection<S, R>`](Connection) | an end of a two-way pipe that sends `S` and receives `R`; from [`pipe`] |
//! | [`Receiver<T>`](Receiver), [`Sender<T>`](Sender) | the ends of a one-way pipe; from [`simplex`] |
//! | [`wait`] | waits for any of many connections, processes, sockets |
//!
//! # Choices
//!
//! - A message is one packet of a `SOCK_SEQPACKET` socket, whatever its length and however many
//!   handles it carries, and goes out and comes in whole. So threads and processes may share an end
//!   without a lock, and one that is killed leaves no half of a message.
//! - Beyond 64 KiB the packet is only a note, and the bytes travel in a sealed file in memory.
//! - Nothing is read ahead: what was not received yet is there for whoever receives next, in
//!   whichever process.
//! - The end of a pipe is seen when the last copy of its other end is closed. A copy that you keep
//!   beside the one you sent away is a copy too: drop it.
#![forbid(unsafe_code)]

mod pipe;
mod connection;
mod receiver;
mod sender;
mod wait;
mod error;
mod socket;
mod packet;
mod stream;
mod bounds;
mod patience;
mod turn;
mod buffers;

pub use connection::Connection;
pub use error::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};
pub use pipe::{pipe, simplex};
pub use receiver::Receiver;
pub use sender::Sender;
pub use wait::wait;
