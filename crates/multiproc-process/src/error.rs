//! What can go wrong with a process once it is started, or was not.

use std::{fmt, io};

use multiproc_wire::DecodeError;
use serde::{Deserialize, Serialize};

use crate::Process;

/// An error returned when a call does not fit the state of a process, or the system refuses it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandleError {
    /// The process has not been started. Python raises `AssertionError` or `ValueError`.
    #[error("process `{name}` has not been started")]
    NotStarted {
        /// The process's name.
        name: String,
    },

    /// The process was started before, and this can only be set before. Python raises `AssertionError`.
    #[error("process `{name}` has already been started")]
    AlreadyStarted {
        /// The process's name.
        name: String,
    },

    /// The handle was inherited through a fork: only the process that started a child may wait for it.
    ///
    /// Python raises `AssertionError` ("can only join a child process").
    #[error("process `{name}` is not a child of this process, but of the one with pid {creator}")]
    NotOurChild {
        /// The process's name.
        name: String,
        /// The process that started it.
        creator: u32,
    },

    /// The operating system refused. Python raises `OSError`.
    #[error("failed to {what} process `{name}`")]
    Os {
        /// What was tried.
        what: &'static str,
        /// The process's name.
        name: String,
        /// Its reason.
        source: io::Error,
    },
}

/// An error returned by [`Process::result`]: the function did not return a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The function panicked. Python's child prints a traceback and exits with 1.
    #[error("process panicked: {0}")]
    Panicked(PanicReport),

    /// A signal ended the process. Python has `exitcode` -N.
    #[error("process was ended by signal {signal}")]
    Signaled {
        /// The number of the signal.
        signal: i32,
    },

    /// The process exited, or became another program, before the function returned. Python has `exitcode` N.
    #[error("process exited with code {code} before its function returned")]
    Exited {
        /// The exit code.
        code: i32,
    },

    /// The process has ended, but somebody else took its exit status (a handler that waits for any child, or SIGCHLD
    /// being ignored) and the kernel no longer tells it.
    #[error("process ended, but its exit status was taken by somebody else")]
    ExitUnknown,

    /// The process could not begin: its arguments did not decode, or it is not the same program.
    #[error("process could not run its function: {message}")]
    Refused {
        /// What the process said.
        message: String,
    },

    /// The value that the function returned could not be sent.
    #[error("result of the process could not be sent: {message}")]
    Encode {
        /// What the encoder stumbled over.
        message: String,
    },

    /// The value that the function returned could not be read.
    #[error("failed to decode the result of the process")]
    Decode(#[from] DecodeError),

    /// The result was already taken by an earlier call.
    #[error("result of the process was already taken")]
    Taken,

    /// The process is not in a state to be waited for.
    #[error(transparent)]
    Handle(#[from] HandleError),
}

/// What is known of a panic in another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PanicReport {
    /// What was said; a payload that is no text is described.
    pub message: String,
    /// File, line and column of the panic, if they are known.
    pub location: Option<String>,
    /// The stack at that moment, unless `RUST_BACKTRACE=0` forbids it.
    pub backtrace: Option<String>,
}

impl fmt::Display for PanicReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.location.as_ref().map_or(Ok(()), |location| write!(f, ", at {location}"))
    }
}

/// An error returned by [`Process::close`]: the process runs; the handle is handed back.
///
/// Python raises `ValueError` ("Cannot close a process while it is still running").
pub struct StillRunning<R>(pub Process<R>);

impl<R> fmt::Debug for StillRunning<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StillRunning").field(&self.0).finish()
    }
}

impl<R> fmt::Display for StillRunning<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process `{}` is still running", self.0.name())
    }
}

impl<R> std::error::Error for StillRunning<R> {}

/// An error returned when a start method cannot be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// A start method was chosen before, or a process was started with the default one. Python raises `RuntimeError`.
    #[error("start method has already been set to `{0}`")]
    AlreadySet(crate::StartMethod),

    /// This context stands for one start method. Python raises `ValueError`.
    #[error("cannot set the start method of a context that stands for `{0}`")]
    Fixed(crate::StartMethod),

    /// There is no such start method. Python raises `ValueError`.
    #[error("cannot find context for `{0}`")]
    Unknown(String),
}
