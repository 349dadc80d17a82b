//! Knowing in a tokio runtime when a descriptor is ready: the feature `tokio`.
//!
//! **Invariant:** a registration ends before its descriptor is closed, because it holds it.
//!
//! **Invariant:** a forked child leaves its parent's registrations alone. The two share an epoll instance, so to end one
//! in the child would end the parent's, which would then wait for ever.

#![expect(unsafe_code, reason = "tokio takes a promise that the descriptor stays open")]

use std::{
    fmt, io, mem,
    os::fd::{AsRawFd, OwnedFd, RawFd},
    process,
    sync::Arc,
};

use rustix::io::Errno;
use tokio::{
    io::{
        Interest,
        unix::{AsyncFd, AsyncFdReadyGuard, AsyncFdRegisterError},
    },
    runtime::{Handle, Id},
};

/// What a descriptor is to be ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// There is something to read, or the end.
    Read,
    /// There is room to write, or nobody to read it.
    Write,
}

/// A descriptor in the epoll instance of a runtime.
pub struct Registered {
    /// None only while it is dropped. Invariant: its number is that of `fd`.
    io: Option<AsyncFd<RawFd>>,
    side: Side,
    runtime: Id,
    process: u32,
    fd: Arc<OwnedFd>,
}

/// A descriptor that is ready, until it is said that it is not.
#[must_use = "who finds that the descriptor is not ready has to say so"]
pub struct Ready<'a>(AsyncFdReadyGuard<'a, RawFd>);

impl Ready<'_> {
    /// Forgets the readiness that this tells of, because an attempt would have waited. Readiness that has come since is
    /// not forgotten.
    pub fn is_over(&mut self) {
        self.0.clear_ready();
    }
}

impl fmt::Debug for Ready<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ready").field(self.0.get_ref()).finish()
    }
}

impl Registered {
    /// Registers a descriptor with the runtime that this is called in.
    ///
    /// # Errors
    ///
    /// `ENOSPC` and `ENOMEM`; `EPERM` for a file, which is always ready; `EMFILE` where another has the descriptor
    /// registered and there is no room for a duplicate.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime, and in one without I/O.
    pub fn new(fd: Arc<OwnedFd>, side: Side) -> io::Result<Self> {
        let runtime = Handle::current().id();
        let (io, fd) = match register(&fd, side) {
            // An epoll instance takes a number once, and another waiter has this one in it.
            Err(err) if err.raw_os_error() == Some(Errno::EXIST.raw_os_error()) => {
                let fd = Arc::new(fd.try_clone()?);
                (register(&fd, side)?, fd)
            }
            io => (io?, fd),
        };
        Ok(Self { io: Some(io), side, runtime, process: process::id(), fd })
    }

    /// Waits for readiness, which lasts until what this returns is told that it is over.
    ///
    /// # Errors
    ///
    /// An error of kind `Other` when the runtime has been shut down.
    ///
    /// # Panics
    ///
    /// Never: what is taken out while this is dropped is there before.
    pub async fn ready(&self) -> io::Result<Ready<'_>> {
        let io = self.io.as_ref().expect("only drop takes it out");
        let guard = match self.side {
            Side::Read => io.readable().await,
            Side::Write => io.writable().await,
        };
        guard.map(Ready)
    }

    /// Returns true in the process and the runtime that it was made in.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.process == process::id() && self.is_of_this_runtime()
    }

    /// Returns true in the runtime that it was made in, in a forked child's copy of that too.
    #[must_use]
    pub fn is_of_this_runtime(&self) -> bool {
        Handle::try_current().is_ok_and(|current| current.id() == self.runtime)
    }
}

fn register(fd: &Arc<OwnedFd>, side: Side) -> io::Result<AsyncFd<RawFd>> {
    let interest = match side {
        Side::Read => Interest::READABLE,
        Side::Write => Interest::WRITABLE,
    };
    // SAFETY: The number is that of an open descriptor. Our caller puts the Arc beside the result, where it stays until
    // the result is dropped or forgotten.
    let registered = unsafe { AsyncFd::register_with_interest(fd.as_raw_fd(), interest) };
    registered.map_err(|err: AsyncFdRegisterError<RawFd>| err.into_parts().1)
}

impl Drop for Registered {
    fn drop(&mut self) {
        let io = self.io.take();
        if self.process == process::id() {
            // Before the descriptor, which goes with the fields.
            drop(io);
        } else {
            mem::forget(io);
        }
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").field("fd", &self.fd).field("side", &self.side).finish()
    }
}
