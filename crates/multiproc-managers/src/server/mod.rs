//! The server of a manager.

mod table;
mod entry;
mod session;
mod guest;
mod control;
mod message;
mod looking;
mod aside;
mod serve;

pub use self::serve::Server;
pub(crate) use self::{aside::drop_aside, entry::Entry, table::Table};
