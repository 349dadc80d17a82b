//! The process table: who holds a lock, and does that process still live?
//!
//! See the README beside this file for the protocol.

mod error;
mod name;
mod entry;
mod stat;
mod life;
mod claim;
mod attached;

pub use attached::Table;
pub use error::TableError;
pub use life::{Life, Watch};
