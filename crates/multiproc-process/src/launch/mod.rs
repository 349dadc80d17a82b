//! Bringing a child to life, in one of three ways.
//!
//! Each way ends with the same thing in hand: a [`Launched`] child, or an error and no child.

mod fork;
mod spawn;

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Mutex, MutexGuard, PoisonError},
};

use multiproc_image::{StartError, after_fork::ForkLocal, boot, boot::Packed, family::Record};
use multiproc_sys::{
    lifeline, pidfd,
    switch::{Feature, without},
};
use rustix::process::Pid;

use crate::{StartMethod, forkserver, report::Report, target::Target};

/// A child that has just come to life.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) pid: Pid,
    pub(crate) sentinel: Sentinel,
    /// The socket through which the child reports.
    pub(crate) socket: OwnedFd,
    /// False if the fork server is its parent, so that the server tells how it ended.
    pub(crate) is_ours: bool,
    /// A report that came while its start was waited for.
    pub(crate) early: Option<Report>,
}

/// A descriptor that becomes readable when the child has ended.
#[derive(Debug)]
pub(crate) enum Sentinel {
    /// Its pidfd.
    Pidfd(OwnedFd),
    /// Where there are no pidfds: a pipe whose other end the child alone has.
    Pipe(OwnedFd),
}

impl AsFd for Sentinel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Pidfd(fd) | Self::Pipe(fd) => fd.as_fd(),
        }
    }
}

/// How a child is to be brought to life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) method: StartMethod,
    /// Fork even while threads run that are not the library's own.
    pub(crate) allow_threads: bool,
}

/// Held while a child comes to life, so that no fork copies the descriptors meant for another child.
static STARTING: ForkLocal<Mutex<()>> = ForkLocal::new(|_| Mutex::new(()));

/// Keeps other threads from bringing a child to life.
pub(crate) fn starting() -> MutexGuard<'static, ()> {
    STARTING.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Brings a child to life that runs `target`, which is dropped here by then.
pub(crate) fn launch(
    way: Way,
    record: Record,
    target: Box<dyn Target>,
) -> Result<Launched, StartError> {
    let _starting = starting();
    match way.method {
        StartMethod::Fork => fork::launch(way.allow_threads, record, target),
        StartMethod::Spawn => spawn::launch(record, target),
        StartMethod::Forkserver => forkserver::launch(record, target),
    }
}

/// The pipe that stands for a pidfd where there is none: our end, and the child's.
pub(crate) fn sentinel_pipe() -> Result<Option<(OwnedFd, OwnedFd)>, StartError> {
    let needed = without(Feature::Pidfd) || !has_pidfds();
    needed.then(lifeline::pipe).transpose().map_err(StartError::os("make the sentinel of a child"))
}

fn has_pidfds() -> bool {
    static HAS: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *HAS.get_or_init(|| !matches!(pidfd::open(rustix::process::getpid()), Ok(None)))
}

/// Chooses what to watch a child of ours by, which nobody but us can have reaped.
///
/// A child that is gone by now, reaped on behalf of a program that ignores SIGCHLD, has a sentinel that is ready.
pub(crate) fn sentinel_of(pid: Pid, pipe: Option<OwnedFd>) -> io::Result<Sentinel> {
    if let Some(pipe) = pipe {
        return Ok(Sentinel::Pipe(pipe));
    }
    match pidfd::open(pid) {
        Ok(Some(pidfd)) => Ok(Sentinel::Pidfd(pidfd)),
        Ok(None) => Ok(Sentinel::Pipe(lifeline::pipe()?.0)),
        Err(err) if err.raw_os_error() == Some(libc::ESRCH) => {
            Ok(Sentinel::Pipe(lifeline::pipe()?.0))
        }
        Err(err) => Err(err),
    }
}

/// Packs a target for a process that does not share our memory.
pub(crate) fn pack(
    record: Record,
    target: &dyn Target,
    sentinel: Option<OwnedFd>,
) -> Result<Packed, StartError> {
    let mut message = target.encode()?;
    // The last byte tells whether the last descriptor is the sentinel's.
    message.bytes.push(u8::from(sentinel.is_some()));
    let copied = message
        .handles
        .into_iter()
        .map(multiproc_wire::Handle::into_owned)
        .collect::<Result<Vec<_>, _>>();
    let mut fds = copied.map_err(StartError::os("duplicate a descriptor among the arguments"))?;
    fds.extend(sentinel);
    boot::pack(target.entry(), &|| target.name(), record, &message.bytes, fds)
}
