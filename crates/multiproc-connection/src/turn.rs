//! A lock for which one can wait until a deadline, and which no fork leaves locked.

use std::{
    ops::{Deref, DerefMut},
    sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError},
    time::Instant,
};

use multiproc_image::renewed::Renewed;

use crate::patience::Patience;

/// A value that one thread at a time may use.
///
/// A thread that has its turn while another one forks is not there in the child, and will never
/// give it back. So the child makes a lock of its own when it first takes a turn.
pub(crate) struct Turn<T> {
    lock: Renewed<Lock<T>>,
    inherit: fn(Inherited<'_, T>) -> T,
}

/// What the copy of a value is in the child of a fork.
pub(crate) enum Inherited<'a, T> {
    /// As the parent had it; nobody was using it.
    Whole(&'a mut T),
    /// A thread that exists in the parent only was using it.
    InUse,
}

/// The lock of one process.
///
/// Those who wait without a deadline sleep in `value`; those with one in `freed`, and are counted,
/// so that a release with nobody there costs next to nothing.
struct Lock<T> {
    value: Mutex<T>,
    timed: Mutex<usize>,
    freed: Condvar,
}

impl<T: Send> Turn<T> {
    /// Begins with `value`; in the child of a fork `inherit` makes the child's from the copy.
    pub(crate) fn new(value: T, inherit: fn(Inherited<'_, T>) -> T) -> Self {
        Self { lock: Renewed::new(Lock::new(value)), inherit }
    }

    /// Returns the value, or None when patience ends first.
    pub(crate) fn take(&self, patience: Patience) -> Option<Taken<'_, T>> {
        let lock = self.lock.get(|inherited| {
            let value = match inherited.value.try_lock() {
                Ok(mut value) => (self.inherit)(Inherited::Whole(&mut value)),
                Err(TryLockError::Poisoned(poisoned)) => {
                    (self.inherit)(Inherited::Whole(&mut poisoned.into_inner()))
                }
                Err(TryLockError::WouldBlock) => (self.inherit)(Inherited::InUse),
            };
            Lock::new(value)
        });
        match patience {
            Patience::Endless => {
                let value = lock.value.lock().unwrap_or_else(PoisonError::into_inner);
                Some(Taken { value: Some(value), lock })
            }
            Patience::None => lock.attempt(),
            Patience::Until(deadline) => lock.attempt().or_else(|| lock.take_until(deadline)),
        }
    }
}

impl<T> Lock<T> {
    fn new(value: T) -> Self {
        Self { value: Mutex::new(value), timed: Mutex::new(0), freed: Condvar::new() }
    }

    fn attempt(&self) -> Option<Taken<'_, T>> {
        let value = match self.value.try_lock() {
            Ok(value) => value,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(Taken { value: Some(value), lock: self })
    }

    #[cold]
    fn take_until(&self, deadline: Instant) -> Option<Taken<'_, T>> {
        let mut timed = self.timed.lock().unwrap_or_else(PoisonError::into_inner);
        *timed += 1;
        let taken = loop {
            // Whoever releases between this look and the wait finds `timed` locked, and so wakes us
            // only when we sleep.
            if let Some(taken) = self.attempt() {
                break Some(taken);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break None;
            }
            let woken = self.freed.wait_timeout(timed, left);
            timed = woken.unwrap_or_else(PoisonError::into_inner).0;
        };
        *timed -= 1;
        taken
    }
}

/// The value, until this is dropped.
pub(crate) struct Taken<'a, T> {
    value: Option<MutexGuard<'a, T>>,
    lock: &'a Lock<T>,
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
        let timed = self.lock.timed.lock().unwrap_or_else(PoisonError::into_inner);
        if 0 < *timed {
            self.lock.freed.notify_one();
        }
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
