//! Locks inside objects, of which the child of a fork makes its own.

#![expect(
    unsafe_code,
    reason = "hands out references to what is replaced and never freed meanwhile"
)]

use std::{
    fmt,
    marker::PhantomData,
    sync::{Mutex, PoisonError},
};

use multiproc_sys::primitive::{AtomicPtr, Ordering};

use crate::after_fork::{self, ForkLocal};

/// A value inside an object, made anew when the child of a fork first uses its copy of the object.
///
/// It is to an object what [`ForkLocal`] is to a static: meant for locks, which a thread that the child does not have may
/// hold for ever. What the parent had is left alone in the child, not even dropped.
pub struct Renewed<T> {
    // Invariant: a box, replaced only under `RENEWING` by a process that has not replaced it before, and freed only by
    // `drop`, which nobody outlives with a reference. What was replaced is leaked, so references to it stay good.
    slot: AtomicPtr<Slot<T>>,
    owns: PhantomData<T>,
}

/// A value, and the generation of the process that it belongs to.
struct Slot<T> {
    born: u32,
    value: T,
}

/// Held while a value is renewed: two threads of a child that come at the same time get the same one.
static RENEWING: ForkLocal<Mutex<()>> = ForkLocal::new(|_| Mutex::new(()));

impl<T: Send + Sync> Renewed<T> {
    /// Begins with `value` in this process.
    #[must_use]
    pub fn new(value: T) -> Self {
        after_fork::watch();
        Self { slot: AtomicPtr::new(Slot::boxed(value)), owns: PhantomData }
    }

    /// The value of this process.
    ///
    /// In a forked child `renew` makes it from the copy of what the parent had, once. It runs in a process that may have
    /// lost threads in the middle of anything, so it only tries the locks in there.
    pub fn get(&self, renew: impl FnOnce(&T) -> T) -> &T {
        let slot = self.slot();
        if slot.born == after_fork::generation() { &slot.value } else { self.renew(renew) }
    }

    #[cold]
    fn renew(&self, renew: impl FnOnce(&T) -> T) -> &T {
        let _one = RENEWING.get().lock().unwrap_or_else(PoisonError::into_inner);
        let slot = self.slot();
        if slot.born != after_fork::generation() {
            self.slot.store(Slot::boxed(renew(&slot.value)), Ordering::Release);
        }
        &self.slot().value
    }
}

impl<T> Renewed<T> {
    fn slot(&self) -> &Slot<T> {
        // SAFETY: By the invariant of `slot` it points to a live box, which outlives `self`.
        unsafe { &*self.slot.load(Ordering::Acquire) }
    }
}

impl<T> Slot<T> {
    fn boxed(value: T) -> *mut Self {
        Box::into_raw(Box::new(Self { born: after_fork::generation(), value }))
    }
}

impl<T> Drop for Renewed<T> {
    fn drop(&mut self) {
        if self.slot().born == after_fork::generation() {
            // SAFETY: By the invariant of `slot` this is a box, and by `&mut self` nobody has a reference to it.
            drop(unsafe { Box::from_raw(*self.slot.get_mut()) });
        }
    }
}

impl<T> fmt::Debug for Renewed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewed").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, TryLockError};

    use super::*;

    #[test]
    fn value_stays_while_the_process_is_the_same() {
        let renewed = Renewed::new(Mutex::new(1));
        *renewed.get(|_| unreachable!()).lock().unwrap() += 1;
        assert_eq!(*renewed.get(|_| unreachable!()).lock().unwrap(), 2);
    }

    #[test]
    fn value_goes_with_the_object() {
        let shared = Arc::new(());
        drop(Renewed::new(shared.clone()));
        assert_eq!(Arc::strong_count(&shared), 1);
    }

    #[test]
    fn child_makes_its_own_while_the_parent_s_is_locked() {
        let renewed = Renewed::new(Mutex::new(1));
        let locked = renewed.get(|_| unreachable!()).lock().unwrap();
        // SAFETY: The child takes no lock but those under test, and leaves by `_exit`.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let was_locked = |old: &Mutex<i32>| {
                let found = matches!(old.try_lock(), Err(TryLockError::WouldBlock));
                Mutex::new(if found { 2 } else { 3 })
            };
            let two = *renewed.get(was_locked).lock().unwrap();
            let again = *renewed.get(|_| Mutex::new(4)).lock().unwrap();
            // SAFETY: Ends the child without running what belongs to the parent.
            unsafe { libc::_exit(two * 10 + again) };
        }
        let mut status = 0;
        // SAFETY: Waits for our own child, and `status` outlives the call.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFEXITED(status));
        assert_eq!(libc::WEXITSTATUS(status), 22);
        assert_eq!(*locked, 1);
    }
}
