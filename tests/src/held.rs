//! Children that run until they are told to go on, and children that do a test's work away from the test binary.

use std::{error::Error, io, os::fd::AsFd};

use multiproc::{Builder, Connection, Context, Failure, Function, Process, pipe};
use serde::{Serialize, de::DeserializeOwned};

use crate::interrupts;

/// Our end of the line to a held child: it says that it runs, we say that it may go on.
pub type Line = Connection<(), ()>;

/// Starts a child that runs until it is told to go on, and waits until it runs.
///
/// It is daemonic, so that a test that fails does not leave the binary waiting for it.
pub fn held(ctx: &Context) -> Result<(Process<()>, Line), Box<dyn Error>> {
    held_by(ctx.process().daemon(true))
}

/// As [`held`], for a process described before.
pub fn held_by(builder: Builder) -> Result<(Process<()>, Line), Box<dyn Error>> {
    let (ours, theirs) = pipe()?;
    let process = builder.start(wait_for_word, (theirs,))?;
    ours.recv()?;
    Ok((process, ours))
}

/// Says that this process runs, then waits for the word to go on.
pub fn wait_for_word(line: Line) {
    interrupts::heed();
    // That nobody listens any more is a word, too.
    let _ = line.send(&());
    let _ = line.recv();
}

/// Runs `function` in a child and returns what it returns; for what would change the whole test binary.
pub fn in_child<F, Args, R>(ctx: &Context, function: F, args: Args) -> Result<R, Box<dyn Error>>
where
    F: Function<Args, Output = Result<R, Failure>>,
    Args: Serialize + DeserializeOwned + Send + 'static,
    R: Serialize + DeserializeOwned,
{
    let failed = |failure: Failure| failure.to_string();
    Ok(ctx.process().daemon(false).start(function, args)?.result()?.map_err(failed)?)
}

/// The context of a start method, by the name under which a test hands it to a child.
pub fn context_named(method: &str) -> Context {
    let found = crate::contexts().into_iter().find(|(name, _)| *name == method);
    found.unwrap_or_else(|| panic!("no start method is called {method}")).1
}

/// The name by which [`context_named`] finds a context again.
pub fn name_of(ctx: &Context) -> String {
    ctx.get_start_method().to_string()
}

/// Makes a second handle to the same end.
pub fn duplicate<S, R>(end: &Connection<S, R>) -> io::Result<Connection<S, R>> {
    end.as_fd().try_clone_to_owned().map(Connection::from)
}
