//! A child that was started: what is known of it, and what can be done to it.

use std::{
    fmt, io, mem,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use multiproc_sys::{
    packet,
    pidfd::{self, Exit},
    poll,
};
use rustix::process::Signal;

use crate::{
    HandleError, children,
    launch::{Launched, Sentinel},
    reaper,
    report::Report,
};

/// The exit code of a process whose exit status somebody else took, as Python has it.
pub(crate) const UNKNOWN: i32 = 255;

/// How often a child that cannot be watched is looked at.
pub(crate) const PATROL: Duration = Duration::from_millis(1);

/// A handle to a child that was started, whatever its function returns; clones are handles to the same child.
///
/// # If a process dies
///
/// That is what it tells: [`join`](Self::join) returns and [`exitcode`](Self::exitcode) is the signal, negative. When
/// the last handle is dropped, the child runs on and leaves no zombie.
///
/// # Python
///
/// What `multiprocessing.active_children()` lists.
///
/// # Examples
///
/// ```
/// multiproc_image::entry::init();
///
/// let process = multiproc_process::spawn(|| (), ())?;
/// for child in multiproc_process::active_children() {
///     child.join()?;
/// }
/// assert_eq!(process.exitcode(), Some(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Child(Arc<Shared>);

/// What the handles of one child have in common; dropped with the last of them.
pub(crate) struct Shared {
    inner: Arc<Inner>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.inner.creator == process::id() && !self.inner.has_ended() {
            reaper::adopt(self.inner.clone());
        }
    }
}

/// The child itself, also known to the table of children.
pub(crate) struct Inner {
    name: String,
    daemon: bool,
    pid: rustix::process::Pid,
    /// The process that started it.
    creator: u32,
    sentinel: Sentinel,
    pub(crate) is_ours: bool,
    state: Mutex<State>,
}

struct State {
    /// The socket through which it reports, until it has ended.
    socket: Option<OwnedFd>,
    /// What it has reported of its function.
    report: Option<Report>,
    /// True once somebody has asked for the report.
    taken: bool,
    /// How it ended, from the moment that it was reaped.
    exit: Option<Exit>,
}

/// The report was handed out before.
#[derive(Debug)]
pub(crate) struct Taken;

impl Inner {
    pub(crate) fn new(name: String, daemon: bool, launched: Launched) -> Self {
        let Launched { pid, sentinel, socket, is_ours, early } = launched;
        let state =
            Mutex::new(State { socket: Some(socket), report: early, taken: false, exit: None });
        Self { name, daemon, pid, creator: process::id(), sentinel, is_ours, state }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_daemon(&self) -> bool {
        self.daemon
    }

    pub(crate) fn sentinel(&self) -> BorrowedFd<'_> {
        self.sentinel.as_fd()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks, without waiting, whether the child has ended; reaps it if so.
    pub(crate) fn has_ended(&self) -> bool {
        self.poll().unwrap_or(true)
    }

    /// As [`has_ended`](Self::has_ended), with the reason where that cannot be told.
    pub(crate) fn poll(&self) -> io::Result<bool> {
        if self.state().exit.is_some() {
            return Ok(true);
        }
        // `poll(2)` itself may be refused: with no descriptor allowed any more, even for one. Then only reaping tells.
        if let Ok(false) = poll::wait_readable(self.sentinel(), Some(Instant::now())) {
            return Ok(false);
        }
        self.settle()
    }

    /// Waits until the child has ended or `deadline` has passed; true if it has ended.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> io::Result<bool> {
        loop {
            if self.state().exit.is_some() {
                return Ok(true);
            }
            if let Ok(false) = poll::wait_readable(self.sentinel(), deadline) {
                return Ok(false);
            }
            if self.settle()? {
                return Ok(true);
            }
            if self.is_ours {
                // Without a pidfd, the pipe is at its end a moment before the child can be reaped, or for good if the
                // child has become another program. No event tells when that ends.
                if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                    return Ok(false);
                }
                std::thread::sleep(PATROL);
                continue;
            }
            // It has ended, but its parent, the fork server, has not yet told how.
            if let Some(socket) = self.socket()?
                && !poll::wait_readable(socket.as_fd(), deadline)?
            {
                return Ok(false);
            }
        }
    }

    /// A duplicate of the socket through which it reports, if it has not ended.
    pub(crate) fn socket(&self) -> io::Result<Option<OwnedFd>> {
        self.state().socket.as_ref().map(OwnedFd::try_clone).transpose()
    }

    /// Takes down how the child ended, once its sentinel is ready; false while that is not known yet.
    fn settle(&self) -> io::Result<bool> {
        let mut state = self.state();
        if state.exit.is_some() {
            return Ok(true);
        }
        let exit = if self.is_ours {
            match self.reap()? {
                Some(exit) => exit,
                // A pipe shows the end of a process a moment before it can be reaped.
                None => return Ok(false),
            }
        } else {
            Exit::Unknown
        };
        let (told, is_over) = state.drain(exit);
        let exit = match (exit, told) {
            (Exit::Unknown, Some(told)) => told,
            (Exit::Unknown, None) if !self.is_ours && !is_over => return Ok(false),
            (Exit::Unknown, None) => self.infer(&state),
            (known, _) => known,
        };
        state.exit = Some(exit);
        state.socket = None;
        drop(state);
        children::forget(self);
        Ok(true)
    }

    fn reap(&self) -> io::Result<Option<Exit>> {
        match &self.sentinel {
            Sentinel::Pidfd(pidfd) => match pidfd::reap(pidfd.as_fd()) {
                // A kernel or a sandbox that has pidfds, but does not wait for them.
                Err(err) if is_unsupported(&err) => pidfd::reap_by_pid(self.pid),
                result => result,
            },
            Sentinel::Pipe(_) => pidfd::reap_by_pid(self.pid),
        }
    }

    /// What a lost exit status must have been, by what the child has said or the kernel remembers.
    fn infer(&self, state: &State) -> Exit {
        if let Sentinel::Pidfd(pidfd) = &self.sentinel
            && let Ok(Some(exit)) = pidfd::reap(pidfd.as_fd())
            && exit != Exit::Unknown
        {
            return exit;
        }
        state.report.as_ref().map_or(Exit::Unknown, |report| Exit::Code(report.code()))
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        // Held, so that nobody reaps it and its pid is given to another process meanwhile.
        let state = self.state();
        if state.exit.is_some() {
            return Ok(());
        }
        // As long as we have not reaped a child of ours, its pid is its own. That of another's child may be somebody
        // else's once its sentinel is ready; and a pidfd is never.
        if !self.is_ours && poll::wait_readable(self.sentinel(), Some(Instant::now()))? {
            return Ok(());
        }
        let by_pid = || rustix::process::kill_process(self.pid, signal).map_err(Into::into);
        let result = match &self.sentinel {
            Sentinel::Pidfd(pidfd) => match pidfd::signal(pidfd.as_fd(), signal) {
                // A sandbox that has pidfds, but does not signal by them.
                Err(err) if is_unsupported(&err) => by_pid(),
                result => result,
            },
            Sentinel::Pipe(_) => by_pid(),
        };
        match result {
            Err(err) if err.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            result => result,
        }
    }

    pub(crate) fn terminate(&self) -> io::Result<()> {
        self.signal(Signal::TERM)
    }

    pub(crate) fn kill(&self) -> io::Result<()> {
        self.signal(Signal::KILL)
    }

    /// What the child has said of its function, to be had once; none if it said nothing.
    pub(crate) fn take_report(&self) -> Result<Option<Report>, Taken> {
        let mut state = self.state();
        if mem::replace(&mut state.taken, true) { Err(Taken) } else { Ok(state.report.take()) }
    }

    pub(crate) fn exit(&self) -> Option<Exit> {
        self.state().exit
    }
}

impl State {
    /// Reads what the child that ended in this way has sent. Returns how it ended, if the fork server has told, and whether nothing more can
    /// come.
    fn drain(&mut self, exit: Exit) -> (Option<Exit>, bool) {
        let Some(socket) = &self.socket else { return (None, true) };
        let (mut bytes, mut told) = (Vec::new(), None);
        loop {
            let mut fds = Vec::new();
            match packet::try_recv(socket.as_fd(), &mut bytes, &mut fds) {
                Ok(true) => match Report::decode(&bytes, mem::take(&mut fds)) {
                    Some(Report::Ended(exit)) => told = Some(exit),
                    // Server and child both say that it exists; the second may come as late as this.
                    Some(Report::Started { .. } | Report::Pidfd(_) | Report::NotStarted(_))
                    | None => {}
                    Some(report) => {
                        self.report = Some(report);
                        // Behind the report of a process that has left in an orderly way comes nothing more.
                        if matches!(exit, Exit::Code(_)) {
                            return (told, false);
                        }
                    }
                },
                Ok(false) => return (told, true),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return (told, false),
                // A report whose descriptors could not be received is lost; what follows it is not.
                Err(err) if err.raw_os_error() == Some(libc::EMFILE) => {
                    let text = format!("no descriptor left for those in the result: {err}");
                    self.report.get_or_insert(Report::Unsendable(text));
                }
                Err(_) => return (told, true),
            }
        }
    }
}

impl Child {
    /// The handle of a child that has come to life, known to the table of children from now on.
    pub(crate) fn register(inner: Inner) -> Self {
        let child = Self::of(Arc::new(inner));
        children::add(&child.0.inner, &child.0);
        child
    }

    pub(crate) fn of(inner: Arc<Inner>) -> Self {
        Self(Arc::new(Shared { inner }))
    }

    pub(crate) fn from_shared(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0.inner
    }

    /// The name that the child was started with.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.inner.name()
    }

    /// The child's process id.
    #[must_use]
    #[doc(alias = "ident")]
    pub fn pid(&self) -> u32 {
        self.0.inner.pid.as_raw_nonzero().get().cast_unsigned()
    }

    /// True if the child ends with its parent.
    #[must_use]
    pub fn daemon(&self) -> bool {
        self.0.inner.daemon
    }

    /// True until the child has ended; asking reaps one that has.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        if self.0.inner.creator == process::id() {
            return !self.0.inner.has_ended();
        }
        // Inherited through a fork: we may look, but not reap.
        !poll::wait_readable(self.0.inner.sentinel(), Some(Instant::now())).unwrap_or(true)
    }

    /// The exit code: none while the child runs, -N if signal N ended it, 255 if its status was lost to somebody else.
    ///
    /// Asking never waits, and reaps a child that has ended.
    #[must_use]
    pub fn exitcode(&self) -> Option<i32> {
        // A process that inherited the handle through a fork may also have inherited its lock, held.
        if self.0.inner.creator != process::id() {
            return None;
        }
        self.0.inner.has_ended();
        self.0.inner.exit().map(|exit| match exit {
            Exit::Code(code) => code,
            Exit::Signal(signal) => -signal,
            Exit::Unknown => UNKNOWN,
        })
    }

    /// Waits until the child has ended.
    ///
    /// # Errors
    ///
    /// [`HandleError::NotOurChild`] in a process that inherited the handle through a fork; what the system reports.
    pub fn join(&self) -> Result<(), HandleError> {
        self.wait("join", None).map(|_| ())
    }

    /// Waits until the child has ended, for at most `timeout`; true if it has ended.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join).
    pub fn join_timeout(&self, timeout: Duration) -> Result<bool, HandleError> {
        self.wait("join", poll::deadline_after(timeout))
    }

    fn wait(&self, what: &'static str, deadline: Option<Instant>) -> Result<bool, HandleError> {
        self.check_creator()?;
        self.0.inner.wait(deadline).map_err(|err| self.os(what, err))
    }

    /// Asks the child to stop what it is doing: sends SIGINT, as Ctrl-C does.
    ///
    /// # Errors
    ///
    /// What the system reports; that the child has ended is no error.
    pub fn interrupt(&self) -> Result<(), HandleError> {
        self.signal("interrupt", Signal::INT)
    }

    /// Ends the child: sends SIGTERM. It runs neither finalizers nor destructors.
    ///
    /// # Errors
    ///
    /// As [`interrupt`](Self::interrupt).
    pub fn terminate(&self) -> Result<(), HandleError> {
        self.signal("terminate", Signal::TERM)
    }

    /// Ends the child whatever it does: sends SIGKILL.
    ///
    /// # Errors
    ///
    /// As [`interrupt`](Self::interrupt).
    pub fn kill(&self) -> Result<(), HandleError> {
        self.signal("kill", Signal::KILL)
    }

    fn signal(&self, what: &'static str, signal: Signal) -> Result<(), HandleError> {
        self.check_creator()?;
        self.0.inner.signal(signal).map_err(|err| self.os(what, err))
    }

    pub(crate) fn check_creator(&self) -> Result<(), HandleError> {
        let creator = self.0.inner.creator;
        if creator == process::id() {
            return Ok(());
        }
        Err(HandleError::NotOurChild { name: self.name().into(), creator })
    }

    pub(crate) fn os(&self, what: &'static str, source: io::Error) -> HandleError {
        HandleError::Os { what, name: self.name().into(), source }
    }
}

impl AsFd for Child {
    /// The sentinel: a descriptor that becomes readable when the child has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.inner.sentinel()
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<Process name='{}' pid={} parent={}",
            self.name(),
            self.pid(),
            self.0.inner.creator
        )?;
        self.write_state(f)?;
        f.write_str(if self.daemon() { " daemon>" } else { ">" })
    }
}

impl Child {
    /// Writes ` started`, or ` stopped` and how.
    pub(crate) fn write_state(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.inner.creator != process::id() {
            return f.write_str(" unknown");
        }
        let _ = self.is_alive();
        match self.0.inner.exit() {
            None => f.write_str(" started"),
            Some(Exit::Code(0)) => f.write_str(" stopped exitcode=0"),
            Some(Exit::Code(code)) => write!(f, " stopped exitcode={code}"),
            Some(Exit::Signal(signal)) => write!(f, " stopped exitcode=-{}", signal_name(signal)),
            Some(Exit::Unknown) => f.write_str(" stopped exitcode=unknown"),
        }
    }

    pub(crate) fn creator(&self) -> u32 {
        self.0.inner.creator
    }
}

fn is_unsupported(err: &io::Error) -> bool {
    matches!(err.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::EPERM))
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGSYS => "SIGSYS",
        _ => return signal.to_string(),
    };
    name.into()
}
