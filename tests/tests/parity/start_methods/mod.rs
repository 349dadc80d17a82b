//! Behaviours: start_methods.* of docs/parity.tsv.
//!
//! - DIFFERENCE: the default is forkserver, and it is the first of all methods, as Python has it since 3.14.
//! - DIFFERENCE: the fork server has no socket file, and so none with a mode.
//! - DIFFERENCE: objects are not made under a context, so none is refused by another.
//! - DIFFERENCE: a preload function, a name of a context and no name have types; what Python finds out by looking does not
//!   compile.

mod contexts;
mod globals;
mod inheritance;
mod programs;
mod server;
