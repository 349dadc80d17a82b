//! The behaviours of Python's module, one file per area; docs/parity.tsv lists them.

multiproc::auto_init!();

mod process;
mod start_methods;
mod connection;
mod misc;
mod sync;
mod pool;
mod imap;
mod async_result;
mod thread_pool;
mod queue;
mod simple_queue;
mod joinable_queue;
mod documentation;
#[cfg(feature = "managers")]
mod manager;
