//! Python's `multiprocessing`, for Rust, without the parts that hang.
//!
//! ```
//! use multiproc::Process;
//!
//! #[multiproc::main]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let process = multiproc::spawn(greet, ("Bob".to_string(),))?;
//!     assert_eq!(process.result()?, "hello Bob");
//!     Ok(())
//! }
//!
//! fn greet(name: String) -> String {
//!     format!("hello {name}")
//! }
//! ```
//!
//! A function of your program runs in another process of your program, and what it returns comes back. If it crashes,
//! leaks, hangs or is killed, that costs you one result and one error that says what happened.
//!
//! # Crate features
//!
//! - **futures** (off by default): [`Imap`] is a `Stream`.
//! - **progress** (off by default): `Imap::progress` shows on stderr how far it has come.
//! - **python** (off by default): Python objects as values and over connections: the module `pickle`, and `send_object`,
//!   `recv_object` and their kin on the ends of connections; the codec `Pickle` of queues.
//! - **managers** (off by default): objects in a server process and their proxies: the module `managers`,
//!   `Manager` and `#[shared]`. Brings tokio, and the features `python` and `tokio`.
//! - **tls** (off by default): TLS for remote managers: `managers::TlsServer` and `TlsClient`. Brings rustls, and the
//!   feature `managers`.
//! - **tokio** (off by default): the calls that wait, awaited: `recv_async`, `send_async` and their kin on the ends of
//!   connections, `accept_async`, `connect_async`; `join_async`, `wait_async`, `result_async` of processes; `get_async` of queues.
#![forbid(unsafe_code)]

pub use multiproc_image::{
    FnRef, Function, Partial, StartError, auto_init,
    entry::init,
    exit::{Finalizer, at_exit},
    family::AuthKey,
    logging::{Level, Logger, get_logger, log_to_stderr},
    partial,
};
pub use multiproc_macros::main;
#[cfg(feature = "managers")]
pub use multiproc_macros::shared;
pub use multiproc_process::{
    Activity, Builder, Child, Context, ContextError, CurrentProcess, Failure, HandleError,
    IntoExitCode, OnPreloadError, PanicReport, ParentProcess, Process, ProcessError, StartMethod,
    StillRunning, active_children, chosen_start_method, cpu_count, current_process, exit,
    force_start_method, get_all_start_methods, get_context, get_start_method, parent_process,
    process_cpu_count, set_executable, set_forkserver_preload, set_start_method, spawn,
    stop_forkserver, thread,
};

/// Connections between processes: messages with values and descriptors in them.
pub mod connection {
    pub use multiproc_connection::*;
}
pub use multiproc_connection::{Connection, pipe, simplex};

/// Memory that processes share: blocks with a name, lists in them, and memory that needs none.
pub mod shared_memory {
    pub use multiproc_shm::*;
}

/// Values and arrays in memory that processes share, with a lock or without.
pub mod sharedctypes {
    pub use multiproc_ctypes::*;
}
pub use multiproc_ctypes::{Array, RawArray, RawValue, Shareable, Value, typecode};
pub use multiproc_queue::{JoinableQueue, Plain, Queue, SimpleQueue};

/// Queues between processes.
pub mod queue {
    pub use multiproc_queue::*;
}

pub use multiproc_pool::{AsyncResult, Imap, Pool, PoolError, TaskError, ThreadPool};

/// Pools of worker processes.
pub mod pool {
    pub use multiproc_pool::*;
}

/// Locks, semaphores, conditions, events and barriers between processes.
pub mod synchronize {
    pub use multiproc_sync::*;
}
pub use multiproc_sync::{
    Barrier, BoundedSemaphore, Condition, Event, Lock, Mutex, RLock, Semaphore,
};

/// Objects that live in a server process and are used from anywhere through proxies.
#[cfg(feature = "managers")]
pub mod managers {
    pub use multiproc_managers::*;
}
#[cfg(feature = "managers")]
pub use multiproc_managers::Manager;

/// Values as bytes, with descriptors travelling beside them.
pub mod wire {
    pub use multiproc_wire::*;
}

/// Python objects: plain data, and nothing that runs.
///
/// ```
/// use multiproc::{Connection, pickle::Object, pipe};
///
/// let (ours, python): (Connection<()>, Connection<()>) = pipe()?;
/// python.send_object(&("seven", 7))?; // Python: conn.send(('seven', 7))
/// assert_eq!(ours.recv_object::<Object>()?.to_string(), "('seven', 7)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "python")]
pub mod pickle {
    pub use multiproc_wire::pickle::*;
}

/// The pages that stand beside the code, so that what they show is compiled and run.
#[cfg(doctest)]
pub mod _documentation {
    #[doc = include_str!("../../../README.md")]
    pub mod readme {}
    #[cfg(feature = "managers")]
    #[doc = include_str!("../../../docs/guide.md")]
    pub mod guide {}
    #[cfg(feature = "python")]
    #[doc = include_str!("../../../docs/python.md")]
    pub mod python {}
}
