//! What users write: the side of each comparison that goes through the facade.

use std::os::fd::{AsRawFd, OwnedFd};

use multiproc::{Context, wire::Fd};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::{
    Result,
    memory::{self, Memory},
    raw,
};

/// How a child comes to life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// A copy of this process.
    Fork,
    /// A fresh copy of this executable.
    Spawn,
    /// A child of the fork server.
    Forkserver,
}

impl Method {
    /// Returns its context.
    pub(crate) fn context(self) -> Context {
        match self {
            Self::Fork => Context::fork(),
            Self::Spawn => Context::spawn(),
            Self::Forkserver => Context::forkserver(),
        }
    }
}

/// Runs an empty function in a child, and joins it.
pub(crate) fn start_and_join(context: &Context) -> Result<()> {
    context.start(empty, ())?.join()?;
    Ok(())
}

/// Weighs a child that sleeps.
pub(crate) fn idle_memory(context: &Context) -> Result<Memory> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let child = context.start(say_ready_and_wait, (Fd(writer),))?;
    rustix::io::read(&reader, &mut [0])?;
    let memory = memory::of(child.pid().ok_or("a started child has a pid")?)?;
    child.kill()?;
    child.join()?;
    Ok(memory)
}

fn empty() {}

/// What the raw child does, too.
fn say_ready_and_wait(ready: Fd<OwnedFd>) {
    raw::say_ready_and_wait(ready.as_raw_fd());
}
