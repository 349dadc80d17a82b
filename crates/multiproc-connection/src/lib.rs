//! Pipes, listeners and clients that carry typed values and operating system handles.
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
//! | [`Listener`], [`Client`] | connections over TCP and Unix sockets, also with Python at the other end |
//! | [`Address`], [`Family`] | where a listener listens |
//! | [`Auth`], [`deliver_challenge`], [`answer_challenge`] | proving a key without sending it |
//! | [`wait`] | waits for any of many connections, processes, sockets |
//!
//! # Choices
//!
//! - On a pipe a message is one packet of a `SOCK_SEQPACKET` socket, whatever its length and however many
//!   handles it carries, and goes out and comes in whole. So threads and processes may share an end
//!   without a lock, and one that is killed leaves no half of a message.
//! - Beyond 64 KiB the packet is only a note, and the bytes travel in a sealed file in memory.
//! - On a stream, which listeners and clients make, messages are framed as CPython does, so that a
//!   Python can be the other end. Threads may share an end; processes that share one may mix up
//!   their messages, as in Python. A message is at most 1 GiB unless another limit is named.
//! - A fork leaves no end unusable: where another thread or a task was using it at that moment, the
//!   child does not wait for that one. A message on a stream that was half through stays the
//!   parent's, and the child's end is an error in that direction.
//! - Handles travel over pipes and between Rust ends over Unix sockets. Over TCP they are an error.
//! - With a key both ends prove that they know it, as CPython does since 3.12; the MD5 of older ones
//!   has to be allowed. Keys are proven, messages are not encrypted.
//! - Objects for a Python end are told from values for a Rust end by the call, `send_object` and not
//!   `send`. A message does not say which it is, so both ends have to agree.
//! - Nothing is read ahead: what was not received yet is there for whoever receives next, in
//!   whichever process.
//! - The end of a pipe is seen when the last copy of its other end is closed. A copy that you keep
//!   beside the one you sent away is a copy too: drop it.
//!
//! # Crate features
//!
//! - **python** (off by default): messages that are Python objects. `send_object` and `recv_object` of
//!   the three ends, and their kin, do what `send` and `recv` do in Python: one message is one pickle.
//!   Plain data only, bounded, and nothing that a pickle says is ever looked up or called.
//! - **tokio** (off by default): the calls that wait, awaited. `recv_async`, `send_async` and their kin,
//!   `accept_async`, `connect_async`. A future may be dropped at any moment, so each may stand in a
//!   `select!` or under a `timeout`. They can be mixed with the calls that wait, on the same end. An end
//!   that a forked child inherited is awaited in a runtime of the child's own.
#![forbid(unsafe_code)]

mod pipe;
mod connection;
mod receiver;
mod sender;
mod wait;
mod address;
mod listener;
mod client;
mod auth;
mod error;
#[cfg(feature = "python")]
mod objects;
mod endpoint;
mod socket;
mod packet;
mod outbox;
mod stream;
mod bounds;
mod patience;
mod turn;
mod tasks;
mod readiness;
#[cfg(feature = "tokio")]
mod awaited;
mod buffers;

pub use address::{Address, Family};
pub use auth::{Auth, Digest, answer_challenge, deliver_challenge};
pub use client::{Client, ClientBuilder};
pub use connection::Connection;
pub use error::{
    AcceptError, AcceptTimeoutError, AddressError, AuthenticationError, BindError, ConnectError,
    ConnectTimeoutError, RecvError, RecvTimeoutError, SendError, TryAcceptError, TryRecvError,
    TrySendError,
};
pub use listener::{Listener, ListenerBuilder};
pub use multiproc_image::family::AuthKey;
pub use pipe::{pipe, simplex};
pub use receiver::Receiver;
pub use sender::Sender;
pub use wait::wait;
