//! A lock for which one can wait until a deadline, and which no fork leaves locked.

use std::{
    ops::{Deref, DerefMut},
    sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError},
    time::Instant,
};

use multiproc_image::renewed::Renewed;
use multiproc_sys::primitive::{AtomicU32, Ordering};

use crate::{patience::Patience, tasks::Tasks};

/// A value that one thread at a time may use.
///
/// A thread that has its turn while another one forks is not there in the child, and will never
/// give it back. So the child makes a lock of its own when it first takes a turn, and with it lets
/// go of the tasks that wait at the parent's.
pub(crate) struct Turn<T> {
    lock: Renewed<Lock<T>>,
    inherit: fn(Inherited<'_, T>) -> T,
}

/// What the copy of a value is in the child of a fork.
pub(crate) enum Inherited<'a, T> {
    /// As the parent had it; nobody was using it.
    Whole(&'a mut T),
    /// As the parent had it, where tasks are about to go on with it.
    Attended(&'a mut T),
    /// A thread that exists in the parent only was using it.
    InUse,
}

/// The lock of one process.
///
/// Those who wait without a deadline sleep in `value`; those with one in `freed`, and are counted,
/// so that a release with nobody there costs next to nothing. Tasks leave word in `waiting`.
pub(crate) struct Lock<T> {
    value: Mutex<T>,
    waiting: Mutex<Waiting>,
    freed: Condvar,
    /// How many tasks are about to go on with the value, which they do not hold meanwhile.
    pub(crate) attending: AtomicU32,
}

#[derive(Default)]
pub(crate) struct Waiting {
    /// How many threads sleep in `freed`.
    timed: usize,
    pub(crate) tasks: Tasks,
}

impl<T: Send> Turn<T> {
    /// Begins with `value`; in the child of a fork `inherit` makes the child's from the copy.
    pub(crate) fn new(value: T, inherit: fn(Inherited<'_, T>) -> T) -> Self {
        Self { lock: Renewed::new(Lock::new(value)), inherit }
    }

    /// Returns the value, or None when patience ends first.
    pub(crate) fn take(&self, patience: Patience) -> Option<Taken<'_, T>> {
        let lock = self.lock();
        match patience {
            Patience::Endless => {
                let value = lock.value.lock().unwrap_or_else(PoisonError::into_inner);
                Some(Taken { value: Some(value), lock })
            }
            Patience::None => lock.attempt(),
            Patience::Until(deadline) => lock.attempt().or_else(|| lock.take_until(deadline)),
        }
    }

    /// The lock of this process.
    pub(crate) fn lock(&self) -> &Lock<T> {
        self.lock.get(|inherited| Lock::new(inherited.hand_down(self.inherit)))
    }
}

impl<T> Lock<T> {
    fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            waiting: Mutex::default(),
            freed: Condvar::new(),
            attending: AtomicU32::new(0),
        }
    }

    /// What the child of a fork makes of this, its copy of the parent's.
    fn hand_down(&self, inherit: fn(Inherited<'_, T>) -> T) -> T {
        match self.look() {
            None => inherit(Inherited::InUse),
            Some(mut value) if self.is_attended() => inherit(Inherited::Attended(&mut value)),
            Some(mut value) => inherit(Inherited::Whole(&mut value)),
        }
    }

    fn attempt(&self) -> Option<Taken<'_, T>> {
        self.look().map(|value| Taken { value: Some(value), lock: self })
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

    /// Returns true while tasks are about to go on with the value.
    fn is_attended(&self) -> bool {
        0 < self.attending.load(Ordering::Acquire)
    }
}

/// The value, until this is dropped.
pub(crate) struct Taken<'a, T> {
    value: Option<MutexGuard<'a, T>>,
    lock: &'a Lock<T>,
}

impl<T> Taken<'_, T> {
    /// Returns true while tasks of this process are about to go on with the value.
    pub(crate) fn is_attended(&self) -> bool {
        self.lock.is_attended()
    }
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
        let mut waiting = self.lock.waiting();
        if 0 < waiting.timed {
            self.lock.freed.notify_one();
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
        let turn = Turn::new(0, |_| unreachable!());
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
        let turn = Turn::new((), |_| unreachable!());
        let taken = turn.take(Patience::Endless);
        assert!(turn.take(Patience::None).is_none());
        assert!(turn.take(Patience::Until(Instant::now())).is_none());
        drop(taken);
        assert!(turn.take(Patience::Until(Instant::now())).is_some());
    }
}
