//! A pool of worker processes that survives the death of its workers.
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
//! # How it works
//!
//! One thread, the supervisor, hands out tasks, takes results, notices deaths and replaces workers.
//! Each worker has a connection of its own and one task at a time, so it is known exactly what a
//! dead worker had in hand. The scheduler knows workers by a trait only.
#![forbid(unsafe_code)]

mod error;
mod builder;
mod pool;
mod imap;
mod order;
mod scheduler;
mod supervisor;
mod worker;

pub use builder::Builder;
pub use error::{PoolError, TaskError};
pub use imap::Imap;
pub use pool::Pool;
