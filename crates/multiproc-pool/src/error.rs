//! What can go wrong with a pool and with its tasks.

use std::time::Duration;

use multiproc_image::StartError;
use multiproc_process::PanicReport;
use serde::{Deserialize, Serialize};

/// An error returned when a pool cannot be made or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// A pool needs at least one worker. Python raises `ValueError`.
    #[error("number of processes must be at least 1")]
    NoProcesses,

    /// A worker that may do no task at all is of no use. Python raises `ValueError`.
    #[error("max_tasks_per_child must be at least 1")]
    NoTasksPerChild,

    /// What is to run in each worker could not be sent. Python raises `PicklingError`.
    #[error("failed to encode what is to run in each worker: {0}")]
    Encode(String),

    /// A worker could not be started; those that were are ended.
    #[error("failed to start a worker")]
    Start(#[from] StartError),

    /// A thread of the pool could not be started. Python raises `RuntimeError`.
    #[error("failed to start a thread of the pool")]
    Supervisor(#[source] std::io::Error),

    /// The pool is closed or terminated. Python raises `ValueError` ("Pool not running").
    #[error("pool is not running")]
    NotRunning,
}

/// An error returned by [`Pool::join`](crate::Pool::join) for a pool that was neither closed nor terminated: it would
/// never end.
///
/// Python raises `ValueError` ("Pool is still running").
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pool is still running: close or terminate it first")]
pub struct StillOpen;

/// An error returned where a result was waited for no longer than asked: it may still come.
///
/// Python raises `multiprocessing.TimeoutError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no result within {:?}", .0)]
pub struct TimeoutError(pub Duration);

/// An error returned by [`AsyncResult::get_timeout`](crate::AsyncResult::get_timeout).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GetTimeoutError {
    /// No result yet. Python raises `multiprocessing.TimeoutError`.
    #[error(transparent)]
    Timeout(#[from] TimeoutError),

    /// The task has failed. Python raises what it raised.
    #[error(transparent)]
    Task(#[from] TaskError),
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
        /// True if it is known to have ended for want of memory: by the kernel's hand, or because an allocation failed
        /// within the pool's [memory limit](crate::Builder::memory_limit).
        /// With `RUST_BACKTRACE` set std overwrites what tells, and it stays false. It may be true, too, where a task aborts
        /// for another reason after the program has dealt with a call that failed with `ENOMEM`.
        oom: bool,
    },

    /// The call took longer than a task may; its worker was killed. Python has no such limit.
    #[error("task took longer than {:?}", .0)]
    TimedOut(Duration),

    /// The task was cancelled. Python cannot.
    #[error("task was cancelled")]
    Cancelled,

    /// Ctrl-C has ended the pool; see [`Builder::cancel_on_interrupt`](crate::Builder::cancel_on_interrupt). Python
    /// raises `KeyboardInterrupt`.
    #[error("interrupted")]
    Interrupted,

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

    /// The pool cannot go on: its initializer fails, or workers die faster than they may be replaced. Python starts
    /// workers for ever.
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

    pub(crate) fn encode(err: &dyn std::error::Error) -> Self {
        Self::Encode(describe(err))
    }

    pub(crate) fn decode(err: &dyn std::error::Error) -> Self {
        Self::Decode(describe(err))
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
