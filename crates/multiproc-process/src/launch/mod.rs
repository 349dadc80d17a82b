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

use multiproc_image::{
    StartError,
    after_fork::ForkLocal,
    boot::{self, Entry, Packed},
    family::Record,
    logging,
};
use multiproc_sys::{
    descriptors, lifeline, pidfd,
    switch::{Feature, without},
};
use multiproc_wire::Message;
use rustix::process::{Pid, Signal};

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

/// Brings a child to life that runs `target`; on failure it is still there.
///
/// Code of the user's (the encoding of arguments, their destructors) and everything that prints runs before or after the
/// lock, never under it: it may itself start a process, or wait for a thread that does.
pub(crate) fn launch(
    way: Way,
    record: Record,
    target: &mut Option<Box<dyn Target>>,
) -> Result<Launched, StartError> {
    descriptors::fill_standard().map_err(StartError::os("open the null device"))?;
    if way.method == StartMethod::Fork {
        return fork::launch(way.allow_threads, record, target);
    }
    let parcel = Parcel::new(record, target.as_deref())?;
    let mut notes = Vec::new();
    let starting = starting();
    let launched = match way.method {
        StartMethod::Spawn => spawn::launch(&parcel),
        _ => forkserver::launch(&parcel, &mut notes),
    };
    drop(starting);
    for note in notes {
        logging::warning(format_args!("{note}"));
    }
    launched
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

/// A target, written down for a process that does not share our memory.
pub(crate) struct Parcel {
    record: Record,
    name: String,
    entry: Entry,
    message: Message,
}

impl Parcel {
    fn new(record: Record, target: Option<&dyn Target>) -> Result<Self, StartError> {
        let target =
            target.ok_or_else(|| StartError::AlreadyStarted { name: record.name.clone() })?;
        Ok(Self { record, name: target.name(), entry: target.entry(), message: target.encode()? })
    }

    /// Packs it for one process, with the other end of its sentinel if it has such a one.
    pub(crate) fn pack(&self, sentinel: Option<OwnedFd>) -> Result<Packed, StartError> {
        let mut bytes = self.message.bytes.clone();
        // The last byte tells whether the last descriptor is the sentinel's.
        bytes.push(u8::from(sentinel.is_some()));
        let copies = self.message.handles.iter().map(|handle| handle.as_fd().try_clone_to_owned());
        let copies = copies.collect::<Result<Vec<_>, _>>();
        let mut fds =
            copies.map_err(StartError::os("duplicate a descriptor among the arguments"))?;
        fds.extend(sentinel);
        boot::pack(self.entry, &|| self.name.clone(), self.record.clone(), &bytes, fds)
    }
}

/// Ends a child that cannot be watched: an error of `start` leaves no process.
pub(crate) fn give_up(pid: Pid, is_ours: bool) {
    let _ = rustix::process::kill_process(pid, Signal::KILL);
    while is_ours && matches!(pidfd::reap_by_pid(pid), Ok(None)) {
        std::thread::yield_now();
    }
}
