//! Processes that cannot be started, are killed, or live in a hostile program.

multiproc::auto_init!();

mod no_descriptors;
mod no_processes;
mod executable;
mod handles;
mod daemons;
mod ctrl_c;
mod sigchld;
mod exec;
mod panics;
mod sizes;
mod many;
mod kills;
mod busy_threads;
mod in_use;
mod payloads;
#[cfg(feature = "managers")]
mod managers;
