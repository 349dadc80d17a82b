//! Removing the names of shared memory that a killed program has left behind.
//!
//! The tracker is a process of its own, started when the family makes its first tracked name. It ends when every process
//! that could make or unlink one has ended, however that came about, and removes what is left then. The protocol is told
//! in the README beside this file.
//!
//! There is hardly a need to call anything here: [`SharedMemory`](crate::SharedMemory) does.

mod line;
mod message;
mod client;
mod server;

pub use client::{ensure_running, stop};
pub(crate) use client::{register, unregister};
pub(crate) use line::Line;
pub(crate) use message::Registration;
