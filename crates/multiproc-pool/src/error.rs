//! What can go wrong with a pool and with its tasks.

use multiproc_image::StartError;
use multiproc_process::PanicReport;
use serde::{Deserialize, Serialize};

/// An error returned when a pool cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// A pool needs at least one worker. Python raises `ValueError`.
    #[error("number of processes must be at least 1")]
    NoProcesses,

    /// A worker could not be started; those that were are ended.
    #[error("failed to start a worker")]
    Start(#[from] StartError),

    /// The thread that runs the pool could not be started. Python raises `RuntimeError`.
    #[error("failed to start the supervisor of the pool")]
    Supervisor(#[source] std::io::Error),
}

/// An error of one task; the others go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TaskError {
    /// The function panicked. Python raises the exception, with the remote traceback as its cause.
    #[error("task panicked: {0}")]
    Panicked(PanicReport),

    /// The worker died with the task in hand, more often than it may be retried.
    ///
    /// Python hangs.
    #[error("worker was lost ({}){}", Self::how(*.signal, *.exitcode), if *.oom { ", out of memory" } else { "" })]
    WorkerLost {
        /// The signal that ended it, if one did.
        signal: Option<i32>,
        /// The code it exited with, if it did.
        exitcode: Option<i32>,
        /// True if the kernel is known to have ended it for want of memory.
        oom: bool,
    },

    /// The arguments could not be encoded; the task was not given to a worker. Python raises `PicklingError`.
    #[error("failed to encode the arguments: {0}")]
    Encode(String),

    /// The arguments could not be read by the worker, or the result here. Python hangs.
    #[error("failed to decode: {0}")]
    Decode(String),

    /// The value that the function returned could not be encoded. Python raises `MaybeEncodingError`.
    #[error("failed to encode the result: {0}")]
    Result(String),

    /// The pool takes no more tasks, because it was closed or terminated. Python raises `ValueError` ("Pool not running").
    #[error("pool is not running")]
    NotRunning,

    /// The pool has no worker left and cannot make one. Python starts workers for ever.
    #[error("pool is broken: {0}")]
    PoolBroken(String),
}

impl TaskError {
    fn how(signal: Option<i32>, exitcode: Option<i32>) -> String {
        match (signal, exitcode) {
            (Some(signal), _) => format!("signal {signal}"),
            (None, Some(code)) => format!("exit code {code}"),
            (None, None) => "its exit status is unknown".into(),
        }
    }
}

/// An error with its causes, for where only text can go on.
pub(crate) fn describe(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(cause) = source {
        text += ": ";
        text += &cause.to_string();
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_says_how_the_worker_ended() {
        let lost =
            |signal, exitcode, oom| TaskError::WorkerLost { signal, exitcode, oom }.to_string();
        assert_eq!(lost(Some(9), None, true), "worker was lost (signal 9), out of memory");
        assert_eq!(lost(None, Some(3), false), "worker was lost (exit code 3)");
        assert_eq!(lost(None, None, false), "worker was lost (its exit status is unknown)");
    }
}
