//! Looking for the next request for a moment, before the server's thread sleeps.

use std::{thread, time::Instant};

use multiproc_sys::primitive::{AtomicU64, Ordering};
use tokio::{sync::Notify, task};

use crate::eager::{Eager, LOOK};

/// What the task that looks is told by those that serve.
#[derive(Debug, Default)]
pub(super) struct Looking {
    /// How many requests have come.
    requests: AtomicU64,
    replied: Notify,
}

impl Looking {
    /// A request has come.
    pub(super) fn asked(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A reply has gone out, so its client may be about to ask again.
    pub(super) fn replied(&self) {
        self.replied.notify_one();
    }

    /// Keeps the thread awake for a moment after each reply, if that has been worth while.
    pub(super) async fn run(&self) {
        let mut eager = Eager::new();
        loop {
            self.replied.notified().await;
            if eager.is_due() {
                eager.looked(self.look().await);
            }
        }
    }

    /// Returns whether a request came in time.
    async fn look(&self) -> bool {
        let (before, start) = (self.requests.load(Ordering::Relaxed), Instant::now());
        loop {
            // First to other threads, which may be the client, then to what the runtime has to do.
            thread::yield_now();
            task::yield_now().await;
            let in_time = start.elapsed() < LOOK;
            if !in_time || self.requests.load(Ordering::Relaxed) != before {
                return in_time;
            }
        }
    }
}
