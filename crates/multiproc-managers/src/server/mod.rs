//! The server of a manager.

mod table;
mod entry;
mod session;
mod guest;
mod control;
mod message;
mod looking;
mod serve;

pub use self::serve::Server;
pub(crate) use self::{entry::Entry, table::Table};
