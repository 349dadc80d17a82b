//! The programs of Python's documentation.
//!
//! Behaviours: docs_example.* of docs/parity.tsv.
//!
//! - DIFFERENCE: what a child has put into a queue holds it up only where it does not fit shared memory.

mod processes;
mod sharing;
mod connections;
mod pools;
#[cfg(feature = "managers")]
mod managers;
