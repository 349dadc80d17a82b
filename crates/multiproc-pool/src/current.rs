//! What a task can know of itself.

use std::{cell::RefCell, fmt, sync::Arc, time::Duration};

use multiproc_sys::board::Board;

use crate::worker::{begun, is_asked_to_stop, now};

/// The place of a worker.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) board: Arc<Board>,
    pub(crate) soft_timeout: Option<Duration>,
}

thread_local! {
    static SEAT: RefCell<Option<Seat>> = const { RefCell::new(None) };
}

/// The board of the worker that this thread is, if it is one.
pub(crate) fn board() -> Option<Arc<Board>> {
    // A thread that is ending has no seat any more.
    SEAT.try_with(|seat| seat.borrow().as_ref().map(|seat| seat.board.clone())).ok().flatten()
}

/// Makes this thread a worker's.
pub(crate) fn sit_down(seat: Seat) {
    SEAT.replace(Some(seat));
}

/// The task that this thread runs for a pool; none if it is no worker's.
///
/// # Python
///
/// Has no such thing; `billiard` raises `SoftTimeLimitExceeded` in the task.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use multiproc_pool::{Pool, current_task};
///
/// multiproc_image::entry::init();
///
/// /// Adds up as much as there is time for.
/// fn add_up(_: ()) -> u64 {
///     let task = current_task().expect("this runs in a worker");
///     (0..).take_while(|_| !task.is_overdue()).sum()
/// }
///
/// let pool = Pool::builder().processes(1).soft_task_timeout(Duration::from_millis(5)).build()?;
/// assert!(pool.apply(add_up, ((),))? > 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn current_task() -> Option<CurrentTask> {
    SEAT.with_borrow(Clone::clone).map(CurrentTask)
}

/// A running task, as it sees itself; returned by [`current_task`].
pub struct CurrentTask(Seat);

impl CurrentTask {
    /// True once the task has run longer than the pool's
    /// [soft timeout](crate::Builder::soft_task_timeout): it is time to come to an end.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        self.time_left() == Some(Duration::ZERO)
    }

    /// How long the task may still run before it is overdue; none if it may as long as it likes.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let has_run = Duration::from_nanos(now().saturating_sub(begun(&self.0.board)));
        self.0.soft_timeout.map(|timeout| timeout.saturating_sub(has_run))
    }

    /// True once the task was [cancelled](crate::AsyncResult::cancel): nobody waits for its result. In a thread this is
    /// all that happens; a process is ended soon after.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        is_asked_to_stop(&self.0.board)
    }
}

impl fmt::Debug for CurrentTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurrentTask")
            .field("time_left", &self.time_left())
            .field("is_cancelled", &self.is_cancelled())
            .finish()
    }
}
