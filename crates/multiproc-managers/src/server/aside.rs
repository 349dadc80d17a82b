//! Dropping what may take its time, or panic, away from the thread that serves.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use multiproc_image::{after_fork::ForkLocal, logging};
use tokio::runtime::Handle;

use super::{control::payload_text, table::lock};

/// How many drops are under way in this process.
static UNDER_WAY: ForkLocal<(Mutex<usize>, Condvar)> = ForkLocal::new(|_| Default::default());

/// One drop that is under way, until this is dropped.
struct UnderWay;

impl UnderWay {
    fn new() -> Self {
        *lock(&UNDER_WAY.get().0) += 1;
        Self
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let (count, changed) = UNDER_WAY.get();
        *lock(count) -= 1;
        changed.notify_all();
    }
}

/// Drops somebody's value, by a thread of the server's that may wait if this is one of its tasks.
///
/// Its panic is a line in the log.
pub(crate) fn drop_aside(value: impl Send + 'static) {
    let under_way = UnderWay::new();
    let end = move || {
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(value)));
        if let Err(payload) = dropped {
            let text = payload_text(&*payload);
            logging::error(format_args!("shared object's drop {text}"));
        }
        drop(under_way);
    };
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(end)),
        Err(_) => end(),
    }
}

/// Waits for the drops that are under way, but not longer than that.
pub(super) fn wait(limit: Duration) {
    let (count, changed) = UNDER_WAY.get();
    let waited = changed.wait_timeout_while(lock(count), limit, |count| 0 < *count);
    drop(waited.unwrap_or_else(PoisonError::into_inner));
}
