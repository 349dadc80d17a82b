//! What users write: the side of each comparison that goes through the facade.

use std::{
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process,
};

use multiproc::{Context, Process};

use crate::{
    Result,
    memory::{self, Memory},
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
    Process::builder().context(context.clone()).start(empty, ())?.join()?;
    Ok(())
}

/// Weighs a child that sleeps.
pub(crate) fn idle_memory(context: &Context) -> Result<Memory> {
    let name = format!("multiproc-bench-{}", process::id());
    let ready = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;

    let child = Process::builder().context(context.clone()).start(say_ready_and_wait, (name,))?;
    ready.recv(&mut [0])?;
    let memory = memory::of(child.pid().ok_or("a started child has a pid")?)?;
    child.kill()?;
    child.join()?;
    Ok(memory)
}

fn empty() {}

fn say_ready_and_wait(name: String) {
    let socket = UnixDatagram::unbound().unwrap();
    let runner = SocketAddr::from_abstract_name(&name).unwrap();
    socket.send_to_addr(b"r", &runner).unwrap();
    // Nobody knows an address of this socket, so nothing ever arrives.
    socket.recv(&mut [0]).unwrap();
}
