//! Objects that live in a server process and are used from anywhere through proxies.
//!
//! ```
//! use multiproc_managers::Manager;
//!
//! multiproc_image::entry::init(); // Or `#[multiproc::main]`: the first thing that `main` does.
//!
//! let manager = Manager::start()?;
//! let dict = manager.dict::<String, i64>([])?;
//! dict.set("x", &7)?;
//! assert_eq!(dict.to_string(), "{'x': 7}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | Type | what it is |
//! |---|---|
//! | [`SyncManager`], [`Manager`] | a server with the standard types, in a process of its own |
//! | [`BaseManager`], [`Builder`], [`Type`] | a server with types of yours, here, in a child, or far away |
//! | [`SharedMemoryManager`] | blocks of shared memory that go when the manager does |
//! | [`Proxy`] and the typed proxies | what clients hold of a shared object |
//! | [`Batch`] | many calls in one round trip |
//! | [`Server`] | a server that runs in this process |
//! | [`Shared`], [`SharedType`], [`types`] | what lives in a server |
//!
//! # How it works
//!
//! The server runs a task for each connection; a client that waits, is slow or says nothing holds a
//! task and no thread, and nobody else up. The protocol is that of CPython's managers, so a Python can
//! be on either side. Clients of ours tell the server which of their connections belong together: what
//! such a process refers to and the locks that it holds go when the last of them ends.
//!
//! # Choices
//!
//! - One protocol for all: requests and replies are pickles of plain data. Nothing that a pickle says
//!   is ever looked up or called.
//! - An object is shared as long as somebody refers to it: a client's process, or another shared
//!   object that has its proxy in it. Objects that refer to each other in a circle stay until the
//!   server ends.
//! - Of CPython's clients the server knows what they tell: references that a killed one did not give
//!   back are counted until the server ends, as in Python. Its locks are freed, for they belong to a
//!   connection.
//! - Whoever knows the key may do what the server's process may do on their behalf. Keys are proven,
//!   messages are encrypted only with the feature `tls`.
//! - A call whose connection is lost is not made again, for the server may have made it: it is an error,
//!   of which [`CallError::is_lost`] is true. The next call connects anew. Objects that the process
//!   referred to by the lost connection only, or that another server had, are gone: calls of their
//!   proxies are [`CallError::Remote`], and the way on is to have the manager make others.
//! - Both sides look for what is to come for up to 50 us before they sleep, unless that was in vain
//!   lately: a round trip is then several times as fast, and costs processor time.
//! - Bytes and texts from 256 KiB to 64 MiB in a `Value`, a dict, a list or a namespace are handed to
//!   clients on the same host by way of a file that cannot be changed. The server keeps it as long as
//!   the value, 64 of them at most, so such a value takes its memory twice once it was fetched.
//!
//! # Crate features
//!
//! - **tls** (off by default): `TlsServer` and `TlsClient` seal the connections of remote managers, by
//!   rustls with ring.
#![forbid(unsafe_code)]

mod manager;
mod proxies;
mod server;
mod shared;
mod shared_type;
mod args;
pub mod types;
mod registry;
mod client;
mod values;
mod raise;
mod eager;
mod silence;
mod tls;
mod address;
mod error;

pub use multiproc_connection::{Address, AuthKey};
pub use multiproc_wire::pickle;
#[doc(hidden)]
pub use serde;

pub use args::Args;
pub use error::{CallError, ManagerError, MethodError, SharedError};
pub use manager::{BaseManager, Builder, Manager, SharedMemoryManager, SyncManager, Type};
pub use proxies::{
    ArrayProxy, AsyncResultProxy, BarrierProxy, Batch, ConditionProxy, DictProxy, EventProxy,
    Guard, IteratorProxy, JoinableQueueProxy, ListProxy, LockProxy, NamespaceProxy, PoolCallError,
    PoolProxy, Proxy, QueueProxy, RLockProxy, SemaphoreProxy, SetProxy, TypeCode, TypedProxy,
    ValueProxy,
};
pub use server::Server;
pub use shared::{Answer, Call, Caller, Filed, Lent, Outcome, Owner, Reply, Shared};
pub use shared_type::{SharedType, Sharing};
#[cfg(feature = "tls")]
pub use tls::{TlsClient, TlsServer};
