//! What has to be renewed in the child of a fork.
//!
//! A fork copies one thread and all memory, so a lock that another thread held stays locked for ever in the child. State
//! of this process therefore lives in [`ForkLocal`] slots, which are empty again in the child without anybody touching
//! what was there, those inside an object in a [`Renewed`](crate::renewed::Renewed); and what must be *done* in the child
//! is registered with [`register`]. All see every fork by the C library, also one that the user's own code makes.

#![expect(unsafe_code, reason = "hands out references to slots that are never freed")]

use std::{fmt, ptr};

use multiproc_sys::primitive::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use crate::published::Published;

/// How many forks lie between the start of the family and this process.
static GENERATION: AtomicU32 = AtomicU32::new(0);
static WATCHING: AtomicBool = AtomicBool::new(false);
static CALLBACKS: Published<Vec<fn()>> = Published::new();
static AROUND: Published<Vec<&'static Around>> = Published::new();

/// Has `callback` run in the child of every fork from now on, in the order of registration; twice registered is once.
///
/// It runs in a process that may have lost threads in the middle of anything: it takes no lock that they could hold.
///
/// # Python
///
/// `multiprocessing.util.register_after_fork`.
pub fn register(callback: fn()) {
    CALLBACKS.add(callback, |known| ptr::fn_addr_eq(*known, callback));
    watch();
}

/// What is done around a fork, by the thread that forks.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// Before it, in the parent, those registered last first: may allocate and open files.
    pub before: fn(),
    /// After it, in the parent; also where it has failed.
    pub in_parent: fn(),
    /// After it, in the child, before what [`register`] was told.
    pub in_child: fn(),
}

/// Has `around` called at every fork from now on; twice registered is once. The caller holds no lock that `before` takes.
///
/// A fork that is under way on another thread may see the second half only, which has to stand that.
pub fn register_around(around: &'static Around) {
    AROUND.add(around, |known| ptr::eq(*known, around));
    watch();
}

/// Number of registered callbacks; it does not grow from one generation of children to the next.
#[must_use]
pub fn registered() -> usize {
    CALLBACKS.items().len()
}

/// Sees to it that forks are noticed.
pub(crate) fn watch() {
    if !WATCHING.swap(true, Ordering::AcqRel) {
        // Out of memory at start-up: then only forks by way of `in_child` are noticed.
        let _ = multiproc_sys::fork::at_fork(before_handler, parent_handler, child_handler);
    }
}

extern "C" fn before_handler() {
    before();
}

extern "C" fn parent_handler() {
    in_parent();
}

extern "C" fn child_handler() {
    in_child();
}

/// Tells the library that this thread is about to fork in a way that does not go through the C library.
pub fn before() {
    // The last registered first, as pthread_atfork does it: upper floors use the lower ones.
    for around in AROUND.items().iter().rev() {
        (around.before)();
    }
}

/// Tells the library that this is the parent after such a fork, or after one that has failed.
pub fn in_parent() {
    for around in AROUND.items() {
        (around.in_parent)();
    }
}

/// Tells the library that this is the child of a fork that did not go through the C library.
pub fn in_child() {
    GENERATION.fetch_add(1, Ordering::AcqRel);
    for around in AROUND.items() {
        (around.in_child)();
    }
    for callback in CALLBACKS.items() {
        callback();
    }
}

/// A value of this process alone: made when first asked for, and made anew in the child of a fork.
///
/// What the parent had is left alone in the child, not even dropped: another thread may have been changing it.
pub struct ForkLocal<T: 'static> {
    // Invariant: null or a leaked box, which is never changed except through `T`'s own interior.
    slot: AtomicPtr<Slot<T>>,
    make: fn(Option<&T>) -> T,
}

/// A value, and the generation of the process that it belongs to.
struct Slot<T> {
    born: u32,
    value: T,
}

/// A value made before a fork, for the child of that fork, which then need not allocate.
pub struct Prepared<T>(Box<Slot<T>>);

impl<T: Send + Sync> ForkLocal<T> {
    /// Makes an empty slot; `make` fills it when it is first asked for in a process, and may look at what the process
    /// that this one was forked from had.
    #[must_use]
    pub const fn new(make: fn(Option<&T>) -> T) -> Self {
        Self { slot: AtomicPtr::new(ptr::null_mut()), make }
    }

    /// The value of this process.
    pub fn get(&self) -> &'static T {
        match self.get_if_made() {
            Some(value) => value,
            None => self.renew(),
        }
    }

    /// The value of this process, if it was asked for before.
    pub fn get_if_made(&self) -> Option<&'static T> {
        let slot = self.slot(self.slot.load(Ordering::Acquire))?;
        (slot.born == GENERATION.load(Ordering::Acquire)).then_some(&slot.value)
    }

    /// Makes a value for a child that is about to be forked.
    #[must_use]
    pub fn prepare(&self, value: T) -> Prepared<T> {
        watch();
        Prepared(Box::new(Slot { born: GENERATION.load(Ordering::Acquire) + 1, value }))
    }

    /// Makes `value` the value of this process, in whose memory nobody has a use for the old one yet.
    pub fn set(&self, value: T) {
        watch();
        self.adopt(Prepared(Box::new(Slot { born: generation(), value })));
    }

    /// In the child: takes over what was prepared for it.
    pub fn adopt(&self, prepared: Prepared<T>) {
        self.slot.store(Box::into_raw(prepared.0), Ordering::Release);
    }

    fn slot(&self, pointer: *mut Slot<T>) -> Option<&'static Slot<T>> {
        // SAFETY: By the invariant of `slot`.
        unsafe { pointer.as_ref() }
    }

    #[cold]
    fn renew(&self) -> &'static T {
        watch();
        let generation = GENERATION.load(Ordering::Acquire);
        let mut found = self.slot.load(Ordering::Acquire);
        let inherited = self.slot(found).map(|slot| &slot.value);
        let fresh =
            Box::into_raw(Box::new(Slot { born: generation, value: (self.make)(inherited) }));
        loop {
            match self.slot.compare_exchange(found, fresh, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => found = fresh,
                Err(other) => found = other,
            }
            if let Some(slot) = self.slot(found)
                && slot.born == generation
            {
                if found != fresh {
                    // SAFETY: Ours was not published, so nobody else has seen it.
                    drop(unsafe { Box::from_raw(fresh) });
                }
                return &slot.value;
            }
        }
    }
}

impl<T> fmt::Debug for ForkLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForkLocal").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Prepared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").finish_non_exhaustive()
    }
}

/// How many forks lie between the start of the family and this process.
#[must_use]
#[inline]
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Acquire)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn one_value_for_all_threads() {
        static SLOT: ForkLocal<Mutex<u32>> = ForkLocal::new(|_| Mutex::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| *SLOT.get().lock().unwrap() += 1);
            }
        });
        assert_eq!(*SLOT.get().lock().unwrap(), 4);
    }

    #[test]
    fn twice_registered_is_once() {
        fn callback() {}
        register(callback);
        let count = registered();
        register(callback);
        assert_eq!(registered(), count);
    }
}
