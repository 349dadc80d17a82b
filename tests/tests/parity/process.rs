//! Processes, from outside and from inside.
//!
//! Behaviours: process.* of docs/parity.tsv.
//!
//! - DIFFERENCE: a process always has a function; one that does nothing stands for Python's process without a target.
//! - DIFFERENCE: `close` consumes the handle, so that it cannot be used afterwards.
//! - DIFFERENCE: a daemonic process may have children. Those that are daemonic die with it.
//! - DIFFERENCE: the number of processors is always known: where the system does not tell, it is what may be used.

mod identity;
mod names;
mod arguments;
mod states;
mod waiting;
mod codes;
mod errors;
mod streams;
mod leaving;
mod daemons;
mod many;

use std::process::Command;

use multiproc::Context;
use multiproc_tests::name_of;

/// A scene of the program `scenes`, to be played under `ctx`.
pub(crate) fn scene(name: &str, ctx: &Context) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scenes"));
    command.args([name, &name_of(ctx)]);
    command
}
