//! What waits until the pool's lock is free again, because it runs code that is not ours: wakers, what is done when a job is,
//! the destructors of values that nobody wants, and what receives log lines.

use std::{
    cell::RefCell,
    mem,
    ops::{Deref, DerefMut},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use multiproc_image::logging;

use crate::{
    shared::{State, follow},
    worker::Worker,
};

/// What is to be done when no lock is held.
#[derive(Default)]
pub(crate) struct Later(Vec<Box<dyn FnOnce() + Send>>);

impl Later {
    pub(crate) fn add(&mut self, action: impl FnOnce() + Send + 'static) {
        self.0.push(Box::new(action));
    }

    /// Drops something when no lock is held.
    pub(crate) fn drop(&mut self, value: impl Send + 'static) {
        self.add(move || drop(value));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Does it.
    pub(crate) fn run(self) {
        for action in self.0 {
            // It has been printed. Whoever is at it here is not to blame.
            let _ = catch_unwind(AssertUnwindSafe(action));
        }
    }
}

thread_local! {
    /// What this thread has to say when it has unlocked what it has locked.
    static WARNINGS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Logs a warning when this thread has unlocked the pool.
pub(crate) fn warn(text: String) {
    // What a thread that is ending has to say is lost.
    let _ = WARNINGS.try_with(|warnings| warnings.borrow_mut().push(text));
}

fn tell() {
    let warnings = WARNINGS.try_with(|warnings| mem::take(&mut *warnings.borrow_mut()));
    for text in warnings.unwrap_or_default() {
        logging::warning(format_args!("{text}"));
    }
}

/// The state of a pool, locked. What has come up meanwhile is done when it is unlocked.
pub(crate) struct Locked<'a, W: Worker> {
    mutex: &'a Mutex<State<W>>,
    /// None only while it is being unlocked.
    state: Option<MutexGuard<'a, State<W>>>,
}

impl<'a, W: Worker> Locked<'a, W> {
    pub(crate) fn new(mutex: &'a Mutex<State<W>>) -> Self {
        // A panic in a scheduler is a fault of ours; its state is still the best there is.
        Self { mutex, state: Some(mutex.lock().unwrap_or_else(PoisonError::into_inner)) }
    }

    /// Waits until something has changed; returns at once if there was something to be done.
    pub(crate) fn wait(mut self, changed: &Condvar, deadline: Option<Instant>) -> Self {
        let mutex = self.mutex;
        match self.state.take() {
            Some(state) if state.scheduler.later.is_empty() => {
                Self { mutex, state: Some(follow(changed, state, deadline)) }
            }
            state => {
                self.state = state;
                drop(self);
                Self::new(mutex)
            }
        }
    }
}

impl<W: Worker> Drop for Locked<'_, W> {
    fn drop(&mut self) {
        if let Some(mut state) = self.state.take() {
            let later = mem::take(&mut state.scheduler.later);
            drop(state);
            later.run();
            tell();
        }
    }
}

const LOCKED: &str = "it is locked until it is dropped";

impl<W: Worker> Deref for Locked<'_, W> {
    type Target = State<W>;

    fn deref(&self) -> &State<W> {
        self.state.as_ref().expect(LOCKED)
    }
}

impl<W: Worker> DerefMut for Locked<'_, W> {
    fn deref_mut(&mut self) -> &mut State<W> {
        self.state.as_mut().expect(LOCKED)
    }
}
