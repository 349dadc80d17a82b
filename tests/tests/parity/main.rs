//! The behaviours of Python's module, one file per area; docs/parity.tsv lists them.

multiproc::auto_init!();

mod process;
mod start_methods;
mod connection;
mod misc;
mod sync;
#[cfg(feature = "managers")]
mod manager;
