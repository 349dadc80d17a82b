//! Processes that run a function: [`Process`], contexts, and the start methods fork, spawn and forkserver.
//!
//! ```
//! use multiproc_process::{Context, Process};
//!
//! multiproc_image::entry::init(); // Or `#[multiproc::main]`: the first thing that `main` does.
//!
//! let child = Process::builder().name("adder").context(Context::spawn()).start(add, (4, 3))?;
//! assert_eq!(child.result()?, 7);
//! assert_eq!(child.exitcode(), Some(0));
//!
//! fn add(a: i32, b: i32) -> i32 {
//!     a + b
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | To | use |
//! |---|---|
//! | run a function in a child, watch it, end it, get its result | [`Process`], [`spawn`] |
//! | choose how children come to life | [`Context`], [`StartMethod`], [`set_start_method`] |
//! | know who one is | [`current_process`], [`parent_process`], [`active_children`] |
//! | have a type run as a process | [`Activity`] |
//! | have threads that a process waits for | [`thread`] |
//! | return any error from a child | [`Failure`] |
//!
//! # Which start method
//!
//! | | how | cost | the child has |
//! |---|---|---|---|
//! | [`forkserver`](Context::forkserver), the default | a small server process forks | low, whatever the parent's size | a clean copy, no threads, what was [preloaded](set_forkserver_preload) |
//! | [`spawn`](Context::spawn) | this program is executed anew | that of starting the program | nothing but its arguments |
//! | [`fork`](Context::fork) | this process is copied | grows with the memory the parent has touched | everything, but only the calling thread |
//!
//! # Crate features
//!
//! - **tokio** (off by default): the end of a process, awaited: `join_async`, `wait_async` and
//!   `result_async` of [`Process`] and [`Child`].

mod error;
mod start_method;
mod context;
mod process;
mod builder;
mod activity;
mod child;
mod children;
#[cfg(feature = "tokio")]
mod awaited;
mod reaper;
mod current;
mod parent;
pub mod thread;
mod cpu;
#[doc(hidden)]
pub mod failure;
#[doc(hidden)]
pub mod panics;
mod report;
mod target;
mod run;
mod held;
mod launch;
mod forkserver;

pub use activity::Activity;
pub use builder::Builder;
pub use child::Child;
pub use children::active_children;
pub use context::{Context, get_context, spawn};
pub use cpu::{cpu_count, process_cpu_count};
pub use current::{CurrentProcess, IntoExitCode, current_process, exit};
pub use error::{ContextError, HandleError, PanicReport, ProcessError, StillRunning};
pub use failure::Failure;
pub use forkserver::{OnPreloadError, set_forkserver_preload, stop_forkserver};
pub use parent::{ParentProcess, parent_process};
pub use process::Process;
pub use start_method::{
    StartMethod, chosen_start_method, force_start_method, get_all_start_methods, get_start_method,
    set_start_method,
};

pub use multiproc_image::{StartError, start::set_executable};
