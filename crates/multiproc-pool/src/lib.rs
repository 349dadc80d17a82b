//! Pools of worker processes that survive the death of their workers, and pools of threads.
//!
//! ```
//! use multiproc_pool::Pool;
//!
//! multiproc_image::entry::init(); // Or `#[multiproc::main]`: the first thing that `main` does.
//!
//! let pool = Pool::new(2)?;
//! assert_eq!(pool.map(|x: i64| x * x, 0..10)?, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
//! for square in pool.imap_unordered(|x: i64| x * x, 0..10) {
//!     println!("{}", square?);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A task whose worker dies, of a signal, a crash or the out-of-memory killer, fails with
//! [`TaskError::WorkerLost`] or is given to another worker, as often as [`retries`](Builder::retries)
//! says. The worker is replaced, and nothing else is touched.
//!
//! | To | use |
//! |---|---|
//! | call a function and wait | [`Pool::apply`], [`Pool::map`], [`Pool::starmap`] |
//! | call it and wait later, await it, or be called back | [`Pool::apply_async`] and its kin, [`AsyncResult`] |
//! | have results one by one, of an input of any length | [`Pool::imap`], [`Pool::imap_unordered`], [`Imap`] |
//! | bound how long a task takes, how much memory it has | [`Builder`] |
//! | give each worker something of its own | [`Builder::initializer`], [`WorkerState`] |
//! | do the same with threads | [`ThreadPool`] |
//! | pass many numbers at the least cost | [`Pool::plain`] |
//! | write it as with `concurrent.futures` | [`Executor`] |
//!
//! # How it works
//!
//! Each worker shares memory with the pool: a ring of orders, a ring of results, and a page of numbers on which it says
//! which call it is at, so it is known exactly what a dead worker had begun, and what was only waiting for it. Where there are many tasks, workers are given
//! some ahead of time; what a worker has not begun can be taken back and given to another one. The scheduler is a state
//! machine that knows workers by a trait only. One thread at a time waits for the workers: a caller that waits for a
//! result, else the supervisor. Whoever waits looks for a moment and then sleeps, so a pool with nothing to do costs
//! nothing.
//!
//! # Crate features
//!
//! - **futures** (off by default): [`Imap`] is a `Stream`.
//! - **progress** (off by default): `Imap::progress` shows how far it has come.
#![forbid(unsafe_code)]

mod error;
mod builder;
mod pool;
mod thread_pool;
mod chunked;
mod plain;
mod executor;
mod async_result;
mod imap;
#[cfg(feature = "futures")]
mod stream;
mod progress;
mod current;
mod state;
mod stats;
mod core;
mod calls;
mod unpack;
mod sequence;
mod value_file;
mod program;
mod job;
mod callbacks;
mod interrupt;
mod scheduler;
mod shared;
mod later;
mod lookout;
mod supervisor;
mod reactor;
mod groups;
mod oom;
mod worker;

pub use async_result::AsyncResult;
pub use builder::Builder;
pub use chunked::Chunked;
pub use current::{CurrentTask, current_task};
pub use error::{GetTimeoutError, PoolError, StillOpen, TaskError, TimeoutError};
pub use executor::Executor;
pub use imap::Imap;
pub use plain::{PlainData, PlainPool};
pub use pool::Pool;
pub use state::{Stateful, WorkerState, with_state};
pub use stats::{PoolStats, WorkerStats};
pub use thread_pool::{ThreadBuilder, ThreadFunction, ThreadPool};
