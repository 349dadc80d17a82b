//! What the scheduler knows of a worker.
//!
//! A worker may be a process, a thread, or a host: it takes one order at a time, answers each, and may die at any moment.

mod process;

use std::os::fd::BorrowedFd;

use multiproc_image::StartError;

use crate::order::{Order, Reply};

pub(crate) use process::{ProcessWorker, ProcessWorkers};

/// One worker.
pub(crate) trait Worker: Send + Sync {
    /// Gives it an order, without waiting.
    fn give(&self, order: &Order) -> Given;

    /// Takes an answer, without waiting.
    fn take(&self) -> Answer;

    /// Becomes readable when there is an answer to take.
    fn answers(&self) -> BorrowedFd<'_>;

    /// Becomes readable when the worker has ended.
    fn sentinel(&self) -> BorrowedFd<'_>;

    /// How it ended; none if it has not.
    fn death(&self) -> Option<Death>;

    /// Asks it to end at once.
    fn terminate(&self);

    /// Ends it whatever it does.
    fn kill(&self);
}

/// What became of an order.
pub(crate) enum Given {
    Taken,
    /// The worker is gone, which its sentinel will show.
    Gone,
    /// The order cannot be sent, for this reason.
    Refused(String),
}

/// What there was to take from a worker.
pub(crate) enum Answer {
    /// It has come to life.
    Ready,
    Reply(Reply),
    /// There was a reply, but it could not be received, for this reason.
    Lost(String),
    /// Nothing yet.
    None,
    /// Nothing ever again, or something that no worker of ours says.
    Gone,
}

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Death {
    pub(crate) signal: Option<i32>,
    pub(crate) exitcode: Option<i32>,
}

/// Makes workers of one kind.
pub(crate) trait Workers: Send + Sync + 'static {
    type Worker: Worker;

    /// Starts a worker.
    fn start(&self) -> Result<Self::Worker, StartError>;

    /// True if a worker must be started by a thread of the user's, because it becomes a copy of the calling thread and of
    /// what that holds.
    fn copies_the_caller(&self) -> bool;
}
