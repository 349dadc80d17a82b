//! A process that runs a function.

use std::{
    fmt,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use multiproc_image::{
    Function, StartError,
    family::{self, AuthKey},
    logging,
};
use multiproc_sys::pidfd::Exit;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Builder, Child, Context, HandleError, ProcessError, StillRunning,
    child::{Inner, Taken},
    launch::{self, Way},
    report::Report,
    target::{Call, Target},
};

/// A process that runs a function of this program, and what the function returns: an `R`.
///
/// Made by [`new`](Self::new) and started by [`start`](Self::start), or both at once by [`spawn`](crate::spawn) and by
/// [`builder`](Self::builder).
///
/// The arguments and the result are any values that serde can write and read, descriptors, connections, locks and queues
/// among them. A function that returns an `Err` makes the process print it and exit with 1; the value is the result all
/// the same.
///
/// # If a process dies
///
/// If the child is killed, [`join`](Self::join) returns, [`exitcode`](Self::exitcode) is the signal, negative, and
/// [`result`](Self::result) is an error that says so. If this process is killed, a daemonic child is killed by the kernel;
/// another runs on. When this process exits, it terminates its daemonic children and waits for the others. Dropping the
/// handle does nothing to the child, which leaves no zombie.
///
/// # Python
///
/// `multiprocessing.Process`. `result` has no twin. `close` consumes the handle, so there is no using it afterwards.
///
/// # Examples
///
/// ```
/// use multiproc_process::Process;
///
/// multiproc_image::entry::init();
///
/// let mut process = Process::new(|name: String| format!("hello {name}"), ("Bob".to_string(),));
/// process.set_name("greeter");
/// process.start()?;
/// assert_eq!(process.result()?, "hello Bob");
/// assert_eq!(process.exitcode(), Some(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a process that was not started does nothing; one whose handle is dropped runs on unwatched"]
pub struct Process<R> {
    name: String,
    daemon: bool,
    authkey: AuthKey,
    context: Context,
    /// Which child of this process it is, counted from 1.
    number: u32,
    stage: Stage,
    result: PhantomData<fn() -> R>,
}

enum Stage {
    /// Not started. Never locked: it makes the handle `Sync`, whatever the arguments are.
    Initial(Mutex<Option<Box<dyn Target>>>),
    Started(Child),
}

impl Process<()> {
    /// Begins to describe a process.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl<R> Process<R> {
    /// Makes a process of the default context; it is not started yet.
    pub fn new<F, Args>(function: F, args: Args) -> Self
    where
        F: Function<Args, Output = R>,
        Args: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned,
    {
        Builder::default().new(function, args)
    }

    pub(crate) fn make<F, Args>(builder: Builder, function: F, args: Args) -> Self
    where
        F: Function<Args, Output = R>,
        Args: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize,
    {
        let Builder { name, daemon, authkey, context } = builder;
        let number = crate::current::next_number();
        let record = family::record();
        Self {
            name: name.unwrap_or_else(|| context.name_of_child(&record.identity, number)),
            daemon: daemon.unwrap_or(record.daemon),
            authkey: authkey.unwrap_or_else(|| record.authkey.clone()),
            context,
            number,
            stage: Stage::Initial(Mutex::new(Some(Box::new(Call::<F, Args>::new(function, args))))),
            result: PhantomData,
        }
    }

    /// Starts the process. When this returns, it exists, and the function and its arguments are no longer held here.
    ///
    /// # Errors
    ///
    /// [`StartError`]; there is then no process, and the call may be repeated. [`StartError::AlreadyStarted`] if there
    /// already is one.
    pub fn start(&mut self) -> Result<(), StartError> {
        let Stage::Initial(target) = &mut self.stage else {
            return Err(StartError::AlreadyStarted { name: self.name.clone() });
        };
        let target = target.get_mut().unwrap_or_else(PoisonError::into_inner);
        let method = self.context.get_start_method();
        let mut record = family::record().child(self.number);
        record.name.clone_from(&self.name);
        record.daemon = self.daemon;
        record.authkey = self.authkey.clone();
        record.start_method = Some(method.as_str().into());

        let way = Way { method, allow_threads: self.context.allows_threads() };
        let launched = launch::launch(way, record, target)?;
        let inner = Inner::new(self.name.clone(), self.daemon, launched);
        // Drops the target, too.
        self.stage = Stage::Started(Child::register(inner));
        logging::debug(format_args!("started process {}", self.name));
        Ok(())
    }

    /// The process's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Renames the handle; a process that is not started yet gets the name, one that runs keeps its own.
    pub fn set_name(&mut self, name: impl Into<String>) {
        self.name = name.into();
    }

    /// True if the process ends with this one.
    #[must_use]
    pub fn daemon(&self) -> bool {
        self.daemon
    }

    /// Sets whether the process ends with this one; by default it is as daemonic as this one is.
    ///
    /// # Errors
    ///
    /// [`HandleError::AlreadyStarted`].
    pub fn set_daemon(&mut self, daemon: bool) -> Result<(), HandleError> {
        self.check_initial()?;
        self.daemon = daemon;
        Ok(())
    }

    /// The key with which the process authenticates its connections.
    #[must_use]
    pub fn authkey(&self) -> &AuthKey {
        &self.authkey
    }

    /// Sets the key with which the process authenticates its connections; by default it is that of this one.
    ///
    /// # Errors
    ///
    /// [`HandleError::AlreadyStarted`].
    pub fn set_authkey(&mut self, authkey: impl Into<AuthKey>) -> Result<(), HandleError> {
        self.check_initial()?;
        self.authkey = authkey.into();
        Ok(())
    }

    fn check_initial(&self) -> Result<(), HandleError> {
        match &self.stage {
            Stage::Initial(_) => Ok(()),
            Stage::Started(_) => Err(HandleError::AlreadyStarted { name: self.name.clone() }),
        }
    }

    /// The child, once the process is started.
    ///
    /// # Errors
    ///
    /// [`HandleError::NotStarted`].
    pub fn child(&self) -> Result<&Child, HandleError> {
        match &self.stage {
            Stage::Started(child) => Ok(child),
            Stage::Initial(_) => Err(HandleError::NotStarted { name: self.name.clone() }),
        }
    }

    /// The process id; none before the process is started.
    #[must_use]
    #[doc(alias = "ident")]
    pub fn pid(&self) -> Option<u32> {
        self.child().ok().map(Child::pid)
    }

    /// True from the start of the process until it has ended; asking reaps one that has.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.child().is_ok_and(Child::is_alive)
    }

    /// The exit code: none before and while the process runs, -N if signal N ended it, 255 if its status was lost to
    /// somebody else. Asking never waits.
    #[must_use]
    pub fn exitcode(&self) -> Option<i32> {
        self.child().ok().and_then(Child::exitcode)
    }

    /// A descriptor that becomes readable when the process has ended.
    ///
    /// # Errors
    ///
    /// [`HandleError::NotStarted`].
    pub fn sentinel(&self) -> Result<BorrowedFd<'_>, HandleError> {
        self.child().map(AsFd::as_fd)
    }

    /// Waits until the process has ended; any number of times.
    ///
    /// # Errors
    ///
    /// [`HandleError::NotStarted`]; [`HandleError::NotOurChild`] in a process that inherited the handle.
    pub fn join(&self) -> Result<(), HandleError> {
        self.child()?.join()
    }

    /// Waits until the process has ended, for at most `timeout`; true if it has ended.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join).
    pub fn join_timeout(&self, timeout: Duration) -> Result<bool, HandleError> {
        self.child()?.join_timeout(timeout)
    }

    /// Asks the process to stop what it is doing: sends SIGINT, as Ctrl-C does.
    ///
    /// # Errors
    ///
    /// [`HandleError::NotStarted`]; what the system reports. That the process has ended is no error.
    ///
    /// # Python
    ///
    /// `Process.interrupt`, new in 3.14.
    pub fn interrupt(&self) -> Result<(), HandleError> {
        self.child()?.interrupt()
    }

    /// Ends the process: sends SIGTERM. It runs neither finalizers nor destructors, and its children are orphaned,
    /// except the daemonic ones, which die with it.
    ///
    /// # Errors
    ///
    /// As [`interrupt`](Self::interrupt).
    pub fn terminate(&self) -> Result<(), HandleError> {
        self.child()?.terminate()
    }

    /// Ends the process whatever it does: sends SIGKILL.
    ///
    /// # Errors
    ///
    /// As [`interrupt`](Self::interrupt).
    pub fn kill(&self) -> Result<(), HandleError> {
        self.child()?.kill()
    }

    /// Lets go of a process that has ended, or was never started, and of all that was kept for it.
    ///
    /// # Errors
    ///
    /// [`StillRunning`], with the handle.
    pub fn close(self) -> Result<(), StillRunning<R>> {
        if self.is_alive() { Err(StillRunning(self)) } else { Ok(()) }
    }
}

impl<R: DeserializeOwned> Process<R> {
    /// Waits until the process has ended and returns what its function returned; once.
    ///
    /// # Errors
    ///
    /// [`ProcessError`], which says how the process ended instead.
    pub fn result(&self) -> Result<R, ProcessError> {
        self.join()?;
        self.outcome()
    }

    /// What its function returned, or why it did not, once the process has ended.
    pub(crate) fn outcome(&self) -> Result<R, ProcessError> {
        let child = self.child()?;
        match child.inner().take_report().map_err(|Taken| ProcessError::Taken)? {
            Some(Report::Returned { bytes, fds, .. }) => Ok(multiproc_wire::decode(&bytes, fds)?),
            Some(Report::Panicked(report)) => Err(ProcessError::Panicked(report)),
            Some(Report::Refused(message)) => Err(ProcessError::Refused { message }),
            Some(Report::Unsendable(message)) => Err(ProcessError::Encode { message }),
            _ => Err(match child.inner().exit() {
                Some(Exit::Signal(signal)) => ProcessError::Signaled { signal },
                Some(Exit::Code(code)) => ProcessError::Exited { code },
                Some(Exit::Unknown) | None => ProcessError::ExitUnknown,
            }),
        }
    }
}

impl<R> AsFd for Process<R> {
    /// The sentinel.
    ///
    /// # Panics
    ///
    /// Panics if the process was not started; [`sentinel`](Self::sentinel) does not.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.sentinel().expect("a process has a sentinel once it is started")
    }
}

impl<R> fmt::Debug for Process<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} name='{}'", self.context.process_type(), self.name)?;
        match &self.stage {
            Stage::Initial(_) => write!(f, " parent={} initial", std::process::id())?,
            Stage::Started(child) => {
                write!(f, " pid={} parent={}", child.pid(), child.creator())?;
                child.write_state(f)?;
            }
        }
        f.write_str(if self.daemon { " daemon>" } else { ">" })
    }
}
