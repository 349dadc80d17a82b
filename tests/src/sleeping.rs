//! Threads that sleep in the call that a test is about.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    thread::{self, JoinHandle},
};

use multiproc::Condition;

use crate::procfs;

/// A thread, as the system sees it.
#[derive(Clone, Debug, Default)]
pub struct Sleeper(Arc<AtomicI32>);

impl Sleeper {
    /// Waits until the thread sleeps.
    pub fn wait(&self) {
        let is_asleep = || match self.0.load(Ordering::SeqCst) {
            0 => false,
            thread => procfs::state(thread.cast_unsigned()) == Some('S'),
        };
        while !is_asleep() {
            thread::yield_now();
        }
    }

    /// How often it was put on a core or off it.
    pub fn switches(&self) -> io::Result<String> {
        procfs::switches(self.0.load(Ordering::SeqCst).cast_unsigned())
    }
}

/// Starts a thread and returns once it sleeps in `work`: there is nothing to sleep in before.
pub fn asleep<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> (JoinHandle<R>, Sleeper) {
    let sleeper = Sleeper::default();
    let itself = sleeper.clone();
    let thread = thread::spawn(move || {
        itself.0.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::SeqCst);
        work()
    });
    sleeper.wait();
    (thread, sleeper)
}

/// How many wait, as the `Debug` form says it.
pub fn waiting(condition: &Condition) -> usize {
    let text = format!("{condition:?}");
    let (_, number) = text.rsplit_once("waiting: ").expect("it says so");
    number.trim_end_matches([' ', '}']).parse().expect("a number")
}

/// Waits until so many wait.
pub fn until_waiting(condition: &Condition, count: usize) {
    while waiting(condition) != count {
        thread::yield_now();
    }
}
