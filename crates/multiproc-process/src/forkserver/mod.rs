//! Forkserver: a small server process, started once, forks for each child.
//!
//! The server is a fresh copy of this program that has run nothing but its hook and, if there is one, the preload
//! function. It has one thread, so its forks are safe, and little memory, so they are cheap, whatever the size and the
//! threads of the process that asks. README.md beside this file tells the protocol.

mod client;
mod preload;
mod request;
mod server;

pub(crate) use client::launch;
pub use client::stop_forkserver;
pub use preload::{OnPreloadError, set_forkserver_preload};
