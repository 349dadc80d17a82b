//! What the scheduler knows of a worker.
//!
//! A worker may be a process, a thread, or a host: it takes orders, answers each call of each order, in their order, and
//! may die at any moment. Which call it was at is on its [`Board`], so a death costs exactly the calls that it had begun
//! and not answered. README.md beside this file tells how.

mod claims;
mod frame;
mod ring;
mod shared;
mod spin;
mod mailbox;
mod desk;
mod process;
mod child;
mod thread;

use std::os::fd::BorrowedFd;

use multiproc_image::StartError;
use multiproc_sys::board::Board;
use multiproc_wire::Handle;

use crate::{
    TaskError,
    job::{Outcome, Task},
};

pub(crate) use child::{Loaded, Outfit, last_words};
pub(crate) use claims::{
    Claims, How, ask_to_stop, begun, behind, busy, is_asked_to_stop, next, now, progress, revoke,
};
pub(crate) use desk::Desk;
pub(crate) use process::ProcessWorkers;
pub(crate) use spin::Spin;
pub(crate) use thread::{ThreadOutfit, ThreadWorkers};

/// One worker.
pub(crate) trait Worker: Send + Sync {
    /// Gives it orders, without waiting. It carries them out after those that it has.
    fn give(&self, orders: &[Order<'_>]) -> Given;

    /// Asks it to end when all orders are carried out.
    fn stop(&self) -> Given;

    /// Takes an answer, without waiting.
    fn take(&self) -> Answer;

    /// Where it says which call it is at.
    fn board(&self) -> &Board;

    /// True if there is an answer to take; it may err towards true.
    fn has_answers(&self) -> bool;

    /// Has it ring when it has given so many results more, or has nothing left to do; once.
    fn call(&self, after: u64);

    /// Has it not ring.
    fn call_not(&self);

    /// Where it rings, and what tells that it will say no more.
    fn answers(&self) -> BorrowedFd<'_>;

    /// True if it rings the pool's bell, and `answers` tells of the end only.
    fn rings_the_common_bell(&self) -> bool;

    /// Becomes readable when the worker has ended.
    fn sentinel(&self) -> BorrowedFd<'_>;

    /// How it ended; none if it has not.
    fn death(&self) -> Option<Death>;

    /// Asks it to end at once, whatever it does.
    fn terminate(&self);

    /// Ends it, where that can be done.
    fn kill(&self);

    /// Its name and process id; 0 if it is none.
    fn identity(&self) -> (&str, u32);
}

/// Calls for a worker.
pub(crate) struct Order<'a> {
    pub(crate) task: &'a Task,
    /// The number of its first call among all that this worker was ever given.
    pub(crate) seq: u64,
    /// True if the worker has the program.
    pub(crate) is_loaded: bool,
}

/// What became of orders.
#[derive(Debug)]
pub(crate) enum Given {
    Taken,
    /// There is no room now. When there is, it answers something, or rings before it sleeps.
    Full,
    /// The worker is gone, which its sentinel will show.
    Gone,
    /// They cannot be sent, for this reason.
    Refused(String),
}

/// What there was to take from a worker.
pub(crate) enum Answer {
    /// It has come to life.
    Ready,
    /// It cannot come to life, and no other will.
    Unfit(TaskError),
    /// What came of so many calls, the next ones in their order.
    Results { count: usize, outcome: Outcome },
    /// It has grown too large, and is to be replaced.
    Replace,
    /// What the call says that ends it.
    LastWords(TaskError),
    /// There were so many answers, but they could not be received, for this reason.
    Lost { count: usize, why: String },
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
    /// True if it is known to have ended for want of memory.
    pub(crate) oom: bool,
}

impl From<Death> for TaskError {
    fn from(Death { signal, exitcode, oom }: Death) -> Self {
        Self::WorkerLost { signal, exitcode, oom }
    }
}

/// Makes workers of one kind.
pub(crate) trait Workers: Send + Sync + 'static {
    type Worker: Worker + 'static;

    /// True if a worker can be killed, and be given more than it works at, because what it has not begun can be taken
    /// back.
    const ARE_PROCESSES: bool;

    /// Starts a worker, which rings `bell`.
    fn start(&self, bell: &Handle) -> Result<Self::Worker, StartError>;

    /// True if a worker must be started by a thread of the user's, because it becomes a copy of the calling thread and of
    /// what that holds.
    fn copies_the_caller(&self) -> bool;
}
