//! Runs a function of this executable in a fresh copy of this executable.
//!
//! ```
//! use multiproc_image::{Boot, entry, start};
//!
//! entry::init(); // In a copy that was started to run a function, this runs it and never returns.
//!
//! let copy = start::fresh(greet, b"Bob".to_vec(), Vec::new())?;
//! let mut answer = Vec::new();
//! multiproc_sys::packet::recv(std::os::fd::AsFd::as_fd(&copy.socket), &mut answer, &mut Vec::new())?;
//! assert_eq!(answer, b"hello Bob");
//! # rustix::process::waitpid(Some(copy.pid), rustix::process::WaitOptions::empty())?;
//!
//! fn greet(boot: Boot) {
//!     let answer = [b"hello ", boot.payload.as_slice()].concat();
//!     multiproc_sys::packet::send(std::os::fd::AsFd::as_fd(&boot.socket), &answer, &[]).unwrap();
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This one primitive carries the rest: a spawned process, the fork server, the resource tracker and a manager's server
//! are four callers of it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`entry`] | the hook that a fresh copy runs into: `init()` and `auto_init!()` |
//! | [`start`] | starting a fresh copy from a descriptor of the running executable |
//! | [`function`] | functions that can cross to another process: [`Function`], [`FnRef`], [`partial`] |
//! | [`family`] | what every floor needs to know of this process: name, key, log level, start method, parent |
//! | [`bootstrap`] | what upper floors install in a fresh copy before its function runs |
//! | [`exit`] | finalizers, and the order of leaving |
//! | [`after_fork`] | what has to be renewed in the child of a fork |
//! | [`renewed`] | locks inside objects, of which the child of a fork makes its own |
//! | [`lifeline`] | how a child knows that its parent lives |
//! | [`threads`] | the library's own threads, which a fork may ignore |
//! | [`logging`] | `[LEVEL/ProcessName] message`, and `tracing` events |

pub mod after_fork;
pub mod renewed;
pub mod boot;
pub mod bootstrap;
pub mod entry;
pub mod error;
mod executable;
pub mod exit;
pub mod family;
pub mod function;
pub mod lent;
pub mod lifeline;
pub mod logging;
pub mod published;
pub mod start;
pub mod threads;

pub use boot::Boot;
pub use error::StartError;
pub use function::{FnRef, Function, Partial, partial};
