//! The thread on which callbacks run, one after the other.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        mpsc::{Sender, channel},
    },
    thread::{self, JoinHandle, ThreadId},
};

use multiproc_image::{after_fork::generation, threads};

/// A callback with what it is called with.
pub(crate) type Action = Box<dyn FnOnce() + Send>;

/// The callbacks of a pool.
#[derive(Default)]
pub(crate) struct Callbacks {
    thread: Mutex<Option<Running>>,
}

struct Running {
    queue: Sender<Action>,
    thread: JoinHandle<()>,
    id: ThreadId,
}

impl Callbacks {
    /// Where actions go, to be done one after the other; starts the thread if there is none.
    pub(crate) fn queue(&self) -> Option<Sender<Action>> {
        let mut running = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_none() {
            let (queue, actions) = channel::<Action>();
            let thread = threads::spawn("multiproc-callbacks", move || {
                for action in actions {
                    // It has been printed. The other callbacks are not to blame.
                    let _ = catch_unwind(AssertUnwindSafe(action));
                }
            });
            let thread = thread.ok()?;
            let id = thread.thread().id();
            *running = Some(Running { queue, thread, id });
        }
        running.as_ref().map(|running| running.queue.clone())
    }

    /// Waits until all have run; not from within one of them.
    pub(crate) fn finish(&self, maker: u32) {
        if maker != generation() {
            return;
        }
        let running = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { queue, thread, id }) = running {
            drop(queue);
            if id != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}
