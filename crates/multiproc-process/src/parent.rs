//! The process that started this one.

use std::{
    fmt, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
    time::{Duration, Instant},
};

use multiproc_image::{family, lifeline};
use multiproc_sys::poll;

/// The process that started this one.
///
/// # If a process dies
///
/// That is what it tells: [`join`](Self::join) returns and [`is_alive`](Self::is_alive) is false.
///
/// # Python
///
/// What `multiprocessing.parent_process()` returns.
///
/// # Examples
///
/// ```
/// use multiproc_process::parent_process;
///
/// multiproc_image::entry::init();
///
/// assert!(parent_process().is_none(), "nobody started the first process");
/// let process = multiproc_process::spawn(|| parent_process().map(|parent| (parent.name().to_string(), parent.pid())), ())?;
/// assert_eq!(process.result()?, Some(("MainProcess".to_string(), std::process::id())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ParentProcess {
    name: String,
    pid: u32,
    line: Arc<OwnedFd>,
}

/// The process that started this one; none in the first.
///
/// # Python
///
/// `multiprocessing.parent_process`.
#[must_use]
pub fn parent_process() -> Option<ParentProcess> {
    let record = family::record();
    let parent = record.parent.as_ref()?;
    Some(ParentProcess { name: parent.name.clone(), pid: parent.pid, line: lifeline::parent()? })
}

impl ParentProcess {
    /// The name that it had when it started this process.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    #[must_use]
    #[doc(alias = "ident")]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// True until it has ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !poll::wait_readable(self.line.as_fd(), Some(Instant::now())).unwrap_or(true)
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    ///
    /// What `poll(2)` reports.
    pub fn join(&self) -> io::Result<()> {
        poll::wait_readable(self.line.as_fd(), None).map(|_| ())
    }

    /// Waits until it has ended, for at most `timeout`; true if it has ended.
    ///
    /// # Errors
    ///
    /// What `poll(2)` reports.
    pub fn join_timeout(&self, timeout: Duration) -> io::Result<bool> {
        poll::wait_readable(self.line.as_fd(), poll::deadline_after(timeout))
    }
}

impl AsFd for ParentProcess {
    /// The sentinel: a descriptor that becomes readable when the parent has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }
}

impl fmt::Debug for ParentProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_alive() { "started" } else { "stopped" };
        write!(f, "<ParentProcess name='{}' pid={} {state}>", self.name, self.pid)
    }
}
