//! Fork: the process is copied.

#![expect(unsafe_code, reason = "fork(2)")]

use std::{
    io::{StderrLock, StdoutLock, Write},
    os::fd::OwnedFd,
    sync::RwLockWriteGuard,
    time::{Duration, Instant},
};

use multiproc_image::{
    StartError, exit,
    family::{self, PreparedRecord, Record},
    lent,
    lifeline::{self, PreparedLine},
    threads,
};
use multiproc_sys::{descriptors, fork::Forked, packet};

use super::{Launched, give_up, sentinel_of, sentinel_pipe, starting};
use crate::{held, panics, run, target::Target};

/// Copies this process; the copy runs `target`.
pub(super) fn launch(
    allow_threads: bool,
    record: Record,
    target: &mut Option<Box<dyn Target>>,
) -> Result<Launched, StartError> {
    // A fork that is refused waits for nothing.
    if !allow_threads {
        refuse_threads()?;
    }
    // In the child another thread may hold what std guards its hooks with, and its streams. So the hook is set here, and
    // both streams are locked over the fork; before the lock under which all starts happen, for whoever holds a stream
    // may start a process.
    panics::watch_panics();
    let (mut stdout, stderr, silence) = quiet();
    let _starting = starting();
    if !allow_threads {
        refuse_threads()?;
    }
    if lent::is_any() {
        return Err(StartError::Lent);
    }
    let (ours, theirs) = packet::pair().map_err(StartError::os("make a socket pair"))?;
    let line = lifeline::for_child().map_err(StartError::os("make the lifeline of a child"))?;
    let (sentinel, shown) = sentinel_pipe()?.unzip();
    let daemon = record.daemon;
    held::prepare();
    let (record, line) = (family::prepare(record), lifeline::prepare(line));
    // What is buffered would be written by both. A standard output that cannot be written to is not our concern.
    let _ = stdout.flush();

    // SAFETY: No other thread can hold what the child needs: there is none, or they are ours, whose state is renewed
    // in the child, or the caller has said `allow_threads`. The child's branch never returns.
    match unsafe { multiproc_sys::fork::fork() }.map_err(StartError::os("fork"))? {
        Forked::Child => {
            drop((stdout, stderr, silence));
            drop((ours, sentinel));
            begin(record, daemon, line, theirs, shown, target.take())
        }
        Forked::Parent(pid) => {
            // First, so that there is room for the pidfd even where descriptors have run out.
            drop((theirs, line, shown));
            let sentinel = sentinel_of(pid, sentinel).map_err(|source| {
                give_up(pid, true);
                StartError::Os { what: "watch a forked child", source }
            })?;
            Ok(Launched { pid, sentinel, socket: ours, is_ours: true, early: None })
        }
    }
}

type Quiet = (StdoutLock<'static>, StderrLock<'static>, Option<RwLockWriteGuard<'static, ()>>);

/// Waits until no other thread writes to a standard stream or tells of a panic, and keeps it so.
///
/// A thread that panics while it writes to a stream tells of it on another, so with the streams in hand nobody waits for
/// the panic. A hook that does not return, and one that forks, keep nobody for longer than a second.
///
/// Standard error is waited for with standard output in hand: std has no way to try. A thread that takes them the other
/// way round, one with `stderr().lock()` that prints, and a fork of a process with threads stand still together.
fn quiet() -> Quiet {
    let patience = Instant::now() + Duration::from_secs(1);
    loop {
        let (stdout, stderr) = (std::io::stdout().lock(), std::io::stderr().lock());
        let silence = panics::try_silence();
        if silence.is_some() || std::thread::panicking() || patience < Instant::now() {
            return (stdout, stderr, silence);
        }
        drop((stdout, stderr));
        std::thread::yield_now();
    }
}

/// The child's side.
fn begin(
    record: PreparedRecord,
    daemon: bool,
    line: PreparedLine,
    socket: OwnedFd,
    shown: Option<OwnedFd>,
    target: Option<Box<dyn Target>>,
) -> ! {
    exit::set_forked();
    record.adopt();
    held::SOCKET.keep(socket);
    if let Some(shown) = shown {
        held::SENTINEL.keep(shown);
    }
    let ready = line.adopt(daemon).and_then(|()| descriptors::stdin_from_null());
    run::child(|| match (ready, target) {
        (Ok(()), Some(target)) => target.run(),
        (Ok(()), None) => run::refuse("there is nothing to run"),
        (Err(err), _) => run::refuse(&format!("cannot prepare the process: {err}")),
    })
}

fn refuse_threads() -> Result<(), StartError> {
    let foreign =
        threads::foreign().map_err(StartError::os("count the threads of this process"))?;
    if foreign.is_empty() { Ok(()) } else { Err(StartError::Threads { count: foreign.len() }) }
}
