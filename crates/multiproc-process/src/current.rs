//! This process.

use std::fmt;

use multiproc_image::{
    after_fork::ForkLocal,
    exit,
    family::{self, AuthKey},
};
use multiproc_sys::primitive::{AtomicU32, Ordering};

use crate::ParentProcess;

/// How many processes this one has made, started or not.
static MADE: ForkLocal<AtomicU32> = ForkLocal::new(|_| AtomicU32::new(0));

/// The number of the process that is being made.
pub(crate) fn next_number() -> u32 {
    MADE.get().fetch_add(1, Ordering::Relaxed) + 1
}

/// What this process knows of itself.
///
/// # Python
///
/// What `multiprocessing.current_process()` returns.
///
/// # Examples
///
/// ```
/// use multiproc_process::current_process;
///
/// let me = current_process();
/// assert_eq!(me.name(), "MainProcess");
/// assert_eq!(me.pid(), std::process::id());
/// assert!(me.parent().is_none() && !me.daemon());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CurrentProcess(());

/// This process.
///
/// # Python
///
/// `multiprocessing.current_process`.
#[must_use]
pub fn current_process() -> CurrentProcess {
    CurrentProcess(())
}

impl CurrentProcess {
    /// The name, `MainProcess` in the first process.
    #[must_use]
    pub fn name(&self) -> String {
        family::record().name.clone()
    }

    /// Renames this process, in messages and in what the system shows of it.
    pub fn set_name(&self, name: impl Into<String>) {
        let name = name.into();
        family::set_os_name(&name);
        family::update(|record| record.name.clone_from(&name));
    }

    /// The process id.
    #[must_use]
    #[doc(alias = "ident")]
    pub fn pid(&self) -> u32 {
        std::process::id()
    }

    /// True if this process ends with its parent.
    #[must_use]
    pub fn daemon(&self) -> bool {
        family::record().daemon
    }

    /// The key with which this process authenticates its connections; 32 random bytes in the first process.
    #[must_use]
    pub fn authkey(&self) -> AuthKey {
        family::record().authkey.clone()
    }

    /// Sets the key with which this process, and those it makes from now on, authenticate their connections.
    pub fn set_authkey(&self, authkey: impl Into<AuthKey>) {
        let authkey = authkey.into();
        family::update(|record| record.authkey = authkey.clone());
    }

    /// True: it is this process that asks.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        true
    }

    /// None: it has not ended.
    #[must_use]
    pub fn exitcode(&self) -> Option<i32> {
        None
    }

    /// The process that started this one; none in the first.
    #[must_use]
    pub fn parent(&self) -> Option<ParentProcess> {
        crate::parent_process()
    }

    /// Does nothing: this process needs no handle to itself.
    pub fn close(&self) {}
}

impl fmt::Debug for CurrentProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = family::record();
        write!(f, "<Process name='{}'", record.name)?;
        if let Some(parent) = &record.parent {
            write!(f, " pid={} parent={}", self.pid(), parent.pid)?;
        }
        f.write_str(if record.daemon { " started daemon>" } else { " started>" })
    }
}

/// Ends this process with `code`, after finalizers have run and children have been ended.
///
/// `()` and `false` are 0, `true` is 1. To end with a message and 1, let the function return an `Err`.
///
/// # Python
///
/// `sys.exit` in a child.
///
/// # Examples
///
/// ```
/// multiproc_image::entry::init();
///
/// fn give_up() {
///     multiproc_process::exit(8);
/// }
///
/// let process = multiproc_process::spawn(give_up, ())?;
/// process.join()?;
/// assert_eq!(process.exitcode(), Some(8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn exit(code: impl IntoExitCode) -> ! {
    crate::thread::join_all();
    exit::leave(code.into_exit_code())
}

/// What a process can exit with.
pub trait IntoExitCode {
    /// The code; the system keeps its low eight bits.
    fn into_exit_code(self) -> i32;
}

impl IntoExitCode for i32 {
    fn into_exit_code(self) -> i32 {
        self
    }
}

impl IntoExitCode for bool {
    fn into_exit_code(self) -> i32 {
        self.into()
    }
}

impl IntoExitCode for () {
    fn into_exit_code(self) -> i32 {
        0
    }
}
