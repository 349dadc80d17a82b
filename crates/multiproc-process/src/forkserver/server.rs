//! The server's side: one thread that forks on request.

#![expect(unsafe_code, reason = "fork(2) in a process of one thread")]

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process,
};

use multiproc_image::{Boot, after_fork, boot, exit, lent, lifeline, logging, threads};
use multiproc_sys::{
    attributes::{set_signal_mask, signal_mask},
    descriptors,
    fork::{Forked, fork, fork_sibling},
    packet,
    pidfd::Exit,
    poll,
    signals::{ChildSignals, Disposition, Signal},
};
use rustix::process::{Pid, Resource, Rlimit, WaitOptions, getrlimit, setrlimit, waitpid};

use super::{
    preload::{OnPreloadError, Preload},
    request::{Request, Surroundings, Told},
};
use crate::{held, report::Report};

/// What the server says when it serves, a warning behind it; anything else is why it does not.
pub(super) const READY: &[u8] = b"ready";
/// What its starter says when it is to end.
pub(super) const STOP: &[u8] = b"stop";
/// The first byte of what it says when the preload function has failed.
pub(super) const PRELOAD_FAILED: u8 = 255;
/// The first byte of what it says when it cannot serve for another reason.
pub(super) const CANNOT_SERVE: u8 = 254;

/// Is the fork server: the entry of a fresh copy.
pub(super) fn serve(boot: Boot) {
    let Boot { payload, fds, socket: starter } = boot;
    let interrupt = Disposition::ignore(Signal::Interrupt);
    // Whoever started us may ignore it, which an executed program inherits; then no child could be reaped.
    let child = Disposition::default(Signal::Child);
    // While user code runs here, a process that it forks must not keep them.
    held::SOCKET.keep(starter);
    if let Some(requests) = fds.into_iter().next() {
        held::REQUESTS.keep(requests);
    }
    let preload = multiproc_wire::decode::<Option<Preload>>(&payload, Vec::new());
    let ready = preload
        .map_err(|err| (CANNOT_SERVE, err.to_string()))
        .and_then(|preload| run_preload(preload).map_err(|why| (PRELOAD_FAILED, why)))
        .and_then(|warning| {
            let server = Server::new([interrupt, child]);
            Ok((server.map_err(|err| (CANNOT_SERVE, err.to_string()))?, warning))
        });
    let say = |what: &[u8]| {
        if let Some(starter) = held::SOCKET.get() {
            let _ = packet::send(starter, what, &[]);
        }
    };
    match ready {
        Ok((server, warning)) => {
            say(&[READY, warning.as_bytes()].concat());
            server.run();
        }
        Err((kind, why)) => {
            say(&[&[kind], why.as_bytes()].concat());
            exit::leave(1)
        }
    }
}

/// Runs the preload function; what there is to warn of, or why there is no server.
fn run_preload(preload: Option<Preload>) -> Result<String, String> {
    let Some(Preload { function, on_error }) = preload else { return Ok(String::new()) };
    let failure = function.call(()).or_else(|| {
        let left = threads::foreign().map_or(0, |foreign| foreign.len());
        (left > 0).then(|| format!("it left {left} thread(s) running, which a fork does not copy"))
    });
    if lent::is_any() {
        // Whatever was to be done on errors: all children would have the same data at once.
        return Err("it kept a guard of shared data, which every child would have too".into());
    }
    match (failure, on_error) {
        (None, _) | (Some(_), OnPreloadError::Ignore) => Ok(String::new()),
        (Some(why), OnPreloadError::Warn) => {
            Ok(format!("preload function of the fork server failed: {why}"))
        }
        (Some(why), OnPreloadError::Fail) => Err(why),
    }
}

/// The server; the request socket and the one to its starter are in [`held`].
struct Server {
    signals: ChildSignals,
    /// What was done on the signals that are dealt with otherwise here.
    dispositions: [Disposition; 2],
    /// What a child has before it takes on the requester's.
    surroundings: Surroundings,
    /// The signals that are blocked in it by then.
    signal_mask: u64,
    /// How many descriptors it may have by then. The server itself, and the child while it is told what to do, may have
    /// as many as the system lets them: a server that cannot take a request is as bad as a dead one.
    limit: Rlimit,
    /// The children that are ours, and where to tell how each ends.
    children: HashMap<Pid, OwnedFd>,
}

impl Server {
    fn new(dispositions: [Disposition; 2]) -> io::Result<Self> {
        // As ours is, unless the preload function has changed it.
        descriptors::stdin_from_null()?;
        // Our children have lifelines of their own, and no use for a copy of ours.
        lifeline::release();
        let (surroundings, signal_mask) = (Surroundings::here()?, signal_mask());
        let limit = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
        let signals = ChildSignals::open()?;
        let children = HashMap::new();
        Ok(Self { signals, dispositions, surroundings, signal_mask, limit, children })
    }

    /// Serves until nobody is left who could ask and no child of ours is left to be told of.
    fn run(mut self) {
        let (mut bytes, mut fds) = (Vec::new(), Vec::new());
        while held::REQUESTS.get().is_some() || !self.children.is_empty() {
            let watched = [Some(self.signals.as_fd()), held::SOCKET.get(), held::REQUESTS.get()];
            let Ok([has_signal, has_word, has_request]) = poll::wait_few(watched) else { return };
            if has_signal {
                self.signals.clear();
                self.reap();
            }
            if has_word {
                hear_starter();
            }
            if let Some(requests) = held::REQUESTS.get().filter(|_| has_request) {
                match packet::try_recv(requests, &mut bytes, &mut fds) {
                    Ok(true) => match Request::decode(&bytes, &mut fds) {
                        Some(request) => self = self.serve(request, &mut bytes),
                        None => logging::error(format_args!(
                            "fork server got a message that is no request"
                        )),
                    },
                    Ok(false) => held::REQUESTS.close(),
                    Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
                    // Its socket closed, the requester finds out. With descriptors exhausted for good, so will all.
                    Err(err) => logging::error(format_args!("fork server lost a request: {err}")),
                }
            }
        }
    }

    /// Forks. Takes the server and gives it back, because in the child there must be none; the child takes `buffer`.
    fn serve(mut self, request: Request, buffer: &mut Vec<u8>) -> Self {
        match make_process(request.pid) {
            Ok((Forked::Child, is_ours)) => self.become_child(request, is_ours, buffer),
            Ok((Forked::Parent(pid), is_ours)) => {
                announce(pid, is_ours, request.socket.as_fd());
                if !is_ours {
                    self.children.insert(pid, request.socket);
                }
            }
            Err(err) => {
                let errno = err.raw_os_error().unwrap_or(libc::EIO);
                Report::NotStarted(errno).send(request.socket.as_fd());
            }
        }
        self
    }

    /// In the child: takes on the requester's surroundings and becomes what was asked for.
    ///
    /// The server's buffer is as large as the longest message already: each page that an allocation touches for the
    /// first time in a child has to be copied first.
    fn become_child(self, request: Request, is_ours: bool, bytes: &mut Vec<u8>) -> ! {
        let Self { signals, dispositions, surroundings, signal_mask, limit, children } = self;
        // A function that never returns drops nothing by itself. While a child held these, nobody would notice the
        // death of a sibling; what is in `held` is closed by then.
        drop((signals, children));
        exit::set_forked();
        dispositions.iter().for_each(Disposition::restore);
        set_signal_mask(signal_mask);
        let socket = request.socket;
        announce(rustix::process::getpid(), is_ours, socket.as_fd());

        let mut fds = Vec::new();
        let told = packet::recv(socket.as_fd(), bytes, &mut fds).and_then(|is_there| {
            setrlimit(Resource::Nofile, limit)?;
            let told = Told::decode(bytes, fds).filter(|_| is_there);
            let mut told = told.ok_or(io::ErrorKind::UnexpectedEof)?;
            told.enter(&surroundings)?;
            Ok(told)
        });
        match told {
            Ok(Told { packed, fds, .. }) => boot::run(packed, fds, socket),
            Err(err) => {
                let why = format!("cannot take on the attributes of the requesting process: {err}");
                Report::Refused(why).send(socket.as_fd());
                exit::leave(1)
            }
        }
    }

    /// Reaps the children that are ours and tells how each has ended.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = waitpid(None, WaitOptions::NOHANG) {
            if let Some(socket) = self.children.remove(&pid) {
                Report::Ended(Exit::from_wait_status(status.as_raw())).send(socket.as_fd());
            }
        }
    }
}

/// Ends the service if the starter says so; that it is gone means nothing, for others may still ask.
fn hear_starter() {
    let Some(starter) = held::SOCKET.get() else { return };
    let (mut bytes, mut fds) = (Vec::new(), Vec::new());
    match packet::try_recv(starter, &mut bytes, &mut fds) {
        Ok(true) if bytes == STOP => held::REQUESTS.close(),
        Ok(true) => {}
        Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
        Ok(false) | Err(_) => held::SOCKET.close(),
    }
}

/// Tells the requester that its process exists, and, where it is not its child, which one.
fn announce(pid: Pid, is_ours: bool, socket: BorrowedFd<'_>) {
    Report::Started { pid: pid.as_raw_nonzero().get(), is_ours }.send(socket);
    if !is_ours {
        match multiproc_sys::pidfd::open(pid) {
            Ok(Some(pidfd)) => Report::Pidfd(pidfd).send(socket),
            // Then the requester has another sentinel.
            Ok(None) => {}
            // A process that nobody could watch is not to be.
            Err(err) => Report::NotStarted(err.raw_os_error().unwrap_or(libc::EIO)).send(socket),
        }
    }
}

/// Forks, as a sibling if the requester is our parent; tells whether the new process is the requester's own child.
fn make_process(requester: u32) -> io::Result<(Forked, bool)> {
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
    if parent == Some(requester) && requester != process::id() {
        // The C library does not see this fork.
        after_fork::before();
        // SAFETY: The server has one thread, and its child's branch never returns.
        let forked = unsafe { fork_sibling() };
        match forked {
            Ok(Forked::Child) => after_fork::in_child(),
            _ => after_fork::in_parent(),
        }
        match forked {
            Err(err) if err.kind() == io::ErrorKind::Unsupported => {}
            result => return result.map(|forked| (forked, true)),
        }
    }
    // SAFETY: As above.
    unsafe { fork() }.map(|forked| (forked, false))
}
