//! A lock for which one can wait until a deadline.

use std::{
    ops::{Deref, DerefMut},
    sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError},
    time::Instant,
};

use crate::{patience::Patience, tasks::Tasks};

/// A value that one thread at a time may use.
///
/// Those who wait without a deadline sleep in `value`; those with one in `freed`, and are counted,
/// so that a release with nobody there costs next to nothing. Tasks leave word in `waiting`.
#[derive(Default)]
pub(crate) struct Turn<T> {
    value: Mutex<T>,
    waiting: Mutex<Waiting>,
    freed: Condvar,
}

#[derive(Default)]
pub(crate) struct Waiting {
    /// How many threads sleep in `freed`.
    timed: usize,
    pub(crate) tasks: Tasks,
}

impl<T> Turn<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), waiting: Mutex::default(), freed: Condvar::new() }
    }

    /// Returns the value, or None when patience ends first.
    pub(crate) fn take(&self, patience: Patience) -> Option<Taken<'_, T>> {
        match patience {
            Patience::Endless => {
                let value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
                Some(Taken { value: Some(value), turn: self })
            }
            Patience::None => self.attempt(),
            Patience::Until(deadline) => self.attempt().or_else(|| self.take_until(deadline)),
        }
    }

    fn attempt(&self) -> Option<Taken<'_, T>> {
        self.look().map(|value| Taken { value: Some(value), turn: self })
    }

    /// The value if nobody has it. Dropping what this returns wakes nobody.
    pub(crate) fn look(&self) -> Option<MutexGuard<'_, T>> {
        match self.value.try_lock() {
            Ok(value) => Some(value),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    #[cold]
    fn take_until(&self, deadline: Instant) -> Option<Taken<'_, T>> {
        let mut waiting = self.waiting();
        waiting.timed += 1;
        let taken = loop {
            // Whoever releases between this look and the wait finds `waiting` locked, and so wakes
            // us only when we sleep.
            if let Some(taken) = self.attempt() {
                break Some(taken);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break None;
            }
            let woken = self.freed.wait_timeout(waiting, left);
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        };
        waiting.timed -= 1;
        taken
    }

    pub(crate) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value, until this is dropped.
pub(crate) struct Taken<'a, T> {
    value: Option<MutexGuard<'a, T>>,
    turn: &'a Turn<T>,
}

impl<T> Deref for Taken<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("only drop takes it out")
    }
}

impl<T> DerefMut for Taken<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("only drop takes it out")
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        let mut waiting = self.turn.waiting();
        if 0 < waiting.timed {
            self.turn.freed.notify_one();
        }
        let tasks = waiting.tasks.take();
        drop(waiting);
        // Not under the lock: a waker is somebody else's code.
        tasks.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    #[test]
    fn one_at_a_time() {
        let turn = Turn::new(0);
        let soon = || Patience::Until(Instant::now() + Duration::from_secs(3600));
        thread::scope(|scope| {
            for timed in [true, false, true, false] {
                let turn = &turn;
                scope.spawn(move || {
                    for _ in 0..1000 {
                        let patience = if timed { soon() } else { Patience::Endless };
                        let mut value = turn.take(patience).unwrap();
                        let before = *value;
                        thread::yield_now();
                        *value = before + 1;
                    }
                });
            }
        });
        assert_eq!(*turn.take(Patience::None).unwrap(), 4000);
    }

    #[test]
    fn patience_ends() {
        let turn = Turn::new(());
        let taken = turn.take(Patience::Endless);
        assert!(turn.take(Patience::None).is_none());
        assert!(turn.take(Patience::Until(Instant::now())).is_none());
        drop(taken);
        assert!(turn.take(Patience::Until(Instant::now())).is_some());
    }
}
