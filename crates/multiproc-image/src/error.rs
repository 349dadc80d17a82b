//! What can go wrong when a process is started.

use std::io;

/// An error returned when a process cannot be started; there is then no process, not even half of one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The program has no entry hook, so a fresh copy of it would only run `main` again.
    ///
    /// Python raises `RuntimeError` ("An attempt has been made to start a new process before the current process has
    /// finished its bootstrapping phase").
    #[error(
        "this program has no entry hook, so a fresh copy of it would run `main` from the top: \
         write `#[multiproc::main]` on `fn main`, or `multiproc::init();` as its first line, \
         or `multiproc::auto_init!();` once in a test binary, bench or plug-in host"
    )]
    HookMissing,

    /// The function is not part of the program itself, so a fresh copy would not find it.
    ///
    /// Python raises `PicklingError`.
    #[error(
        "function `{name}` is not part of {program}, but of a library loaded by it, where a fresh copy would not find \
         it: call it from a function of the program itself, or use the fork start method"
    )]
    OutsideImage {
        /// The function's name.
        name: String,
        /// The program's path.
        program: String,
    },

    /// An argument could not be turned into bytes.
    ///
    /// Python raises `PicklingError`, or whatever the argument raised.
    #[error("failed to encode the arguments of `{name}`")]
    Encode {
        /// The function's name.
        name: String,
        /// What the encoder stumbled over.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A fork was asked for while threads run that are not the library's own.
    ///
    /// In the child they would be gone, but the locks they held would stay locked. Python warns and may deadlock.
    #[error(
        "fork while {count} other thread(s) run: the child would inherit their locks for ever; \
         use spawn or forkserver, or say `Context::fork().allow_threads()` if no such lock matters to the child"
    )]
    Threads {
        /// How many there are.
        count: usize,
    },

    /// A fork was asked for by a thread that has a guard of data in shared memory.
    ///
    /// The child would have the data too, while nobody else may. Python lets both write.
    #[error("fork while this thread has a guard of shared data: drop the guard first")]
    Lent,

    /// The function set by `set_forkserver_preload` failed, and its failure was to be an error.
    ///
    /// Python 3.15 raises what the import raised (`on_error='fail'`).
    #[error("preload function of the fork server failed: {message}")]
    Preload {
        /// What it said.
        message: String,
    },

    /// The new process said that it cannot begin, for instance because it is another build of the program.
    #[error("the new process cannot begin: {message}")]
    Refused {
        /// What it said.
        message: String,
    },

    /// The process was started before. Python raises `AssertionError` ("cannot start a process twice").
    #[error("process `{name}` has already been started")]
    AlreadyStarted {
        /// The process's name.
        name: String,
    },

    /// The operating system refused. Python raises `OSError`.
    #[error("failed to {what}")]
    Os {
        /// What was tried.
        what: &'static str,
        /// Its reason.
        source: io::Error,
    },
}

impl StartError {
    /// Makes a function that wraps the system's error with what was tried.
    pub fn os(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Os { what, source }
    }

    /// Returns true if the system is out of processes, descriptors or memory, so that trying later may help.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        let Self::Os { source, .. } = self else { return false };
        matches!(
            source.raw_os_error(),
            Some(libc::EAGAIN | libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ETOOMANYREFS)
        )
    }
}
