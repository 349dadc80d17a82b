//! What users write: the side of each comparison that goes through the facade.

use std::{
    os::fd::{AsRawFd, OwnedFd},
    time::Instant,
};

use multiproc::{Connection, Context, pipe, wire::Fd};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::{
    Result, machine,
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

/// Returns the seconds that `count` numbers take to a child on core `there` and back.
pub(crate) fn echo(there: usize, count: u32) -> Result<f64> {
    let (ours, theirs) = pipe::<u64, u64>()?;
    let child = Context::spawn().start(send_back, (theirs, there))?;
    let exchange = |number: u64| -> Result<()> {
        ours.send(&number)?;
        match ours.recv()? {
            back if back == number => Ok(()),
            back => Err(format!("sent {number}, got {back}").into()),
        }
    };
    // The child is there, and both are warm.
    (0..100).try_for_each(exchange)?;
    let started = Instant::now();
    (0..u64::from(count)).try_for_each(exchange)?;
    let seconds = started.elapsed().as_secs_f64();
    ours.close();
    child.join()?;
    Ok(seconds)
}

/// Returns the seconds that `count` messages of `length` bytes take to a child on core `there`.
pub(crate) fn flow(there: usize, length: usize, count: u32) -> Result<f64> {
    let (ours, theirs) = pipe::<(), ()>()?;
    let child = Context::spawn().start(take_all, (theirs, there, length, count))?;
    let message = vec![b'm'; length];
    // The child says that it is there, and when it has taken the one that warms up.
    ours.recv()?;
    ours.send_bytes(&message)?;
    ours.recv()?;
    let started = Instant::now();
    for _ in 0..count {
        ours.send_bytes(&message)?;
    }
    ours.recv()?;
    let seconds = started.elapsed().as_secs_f64();
    ours.close();
    child.join()?;
    Ok(seconds)
}

fn empty() {}

fn send_back(connection: Connection<u64, u64>, core: usize) {
    machine::pin_to(&[core]).expect("the core was chosen out of those that there are");
    while let Ok(number) = connection.recv() {
        connection.send(&number).expect("the sender waits for it");
    }
}

fn take_all(connection: Connection<(), ()>, core: usize, length: usize, count: u32) {
    machine::pin_to(&[core]).expect("the core was chosen out of those that there are");
    let mut buffer = vec![0; length];
    let ready = || connection.send(&()).expect("the sender waits for it");
    ready();
    for number in 0..=count {
        let taken = connection.recv_bytes_into(&mut buffer).expect("the sender sends as many");
        assert_eq!(taken, length);
        if number == 0 {
            ready();
        }
    }
    ready();
}

/// What the raw child does, too.
fn say_ready_and_wait(ready: Fd<OwnedFd>) {
    raw::say_ready_and_wait(ready.as_raw_fd());
}
