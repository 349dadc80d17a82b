//! This program and its copies: the entry hook, the executable, the ways to leave, what is logged.

multiproc::auto_init!();

mod hook;
mod signals;
mod executable;
mod functions;
mod lifetimes;
mod logging;
mod abort;
