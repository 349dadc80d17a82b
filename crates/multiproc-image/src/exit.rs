//! Finalizers, and the order of leaving.
//!
//! When a process of the family exits, by the return of `main` or of its function, by `std::process::exit` or by a panic
//! that ends `main`, this happens once, in this order:
//!
//! 1. finalizers with priority 0 and above run, the highest first, of equal ones the latest made first;
//! 2. daemonic children are terminated;
//! 3. the other children are waited for;
//! 4. the remaining finalizers run, in the same order.
//!
//! It runs from the C library's `atexit`. A process that is killed, or that aborts, runs none of it.

use std::{
    collections::BTreeMap,
    fmt,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, OnceLock},
};

use multiproc_sys::{
    fork,
    primitive::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

use crate::{
    after_fork::{self, ForkLocal},
    logging,
};

type Callback = Box<dyn FnOnce() + Send>;

/// Sorts by priority, then by age; the last key is the next to run.
type Key = (Option<i32>, u64);

type Finalizers = Mutex<BTreeMap<Key, Callback>>;

static FINALIZERS: ForkLocal<Finalizers> = ForkLocal::new(|_| Mutex::new(BTreeMap::new()));

/// A callback that runs once: by hand, when the finalizer is dropped, or at the exit of the process.
///
/// # If a process dies
///
/// A process that is killed runs no finalizer. The child of a fork inherits none.
///
/// # Python
///
/// `multiprocessing.util.Finalize`. A finalizer without a priority ([`new`](Self::new)) is not run at exit.
///
/// # Examples
///
/// ```
/// use multiproc_image::exit::Finalizer;
/// use std::sync::mpsc;
///
/// let (ran, runs) = mpsc::channel();
/// let finalizer = Finalizer::new(move || ran.send(()).unwrap());
/// assert!(finalizer.is_active());
/// finalizer.run();
/// finalizer.run();
/// drop(finalizer);
/// assert_eq!(runs.iter().count(), 1);
/// ```
#[must_use = "a finalizer runs when it is dropped; `keep` leaves it to the exit of the process"]
pub struct Finalizer {
    key: Key,
}

/// Counts finalizers through all forks, so that one that a child has inherited never means one of the child's own.
static NUMBER: AtomicU64 = AtomicU64::new(0);

impl Finalizer {
    /// Makes a finalizer that runs by hand or when it is dropped.
    pub fn new(callback: impl FnOnce() + Send + 'static) -> Self {
        Self { key: register(None, Box::new(callback)) }
    }

    /// Makes a finalizer that also runs at the exit of the process, higher priorities first.
    pub fn with_priority(priority: i32, callback: impl FnOnce() + Send + 'static) -> Self {
        Self { key: register(Some(priority), Box::new(callback)) }
    }

    /// Runs the callback if it has not run and was not cancelled.
    pub fn run(&self) {
        if let Some(callback) = take(self.key) {
            callback();
        }
    }

    /// Sees to it that the callback never runs.
    pub fn cancel(&self) {
        drop(take(self.key));
    }

    /// True until the callback has run or was cancelled.
    #[must_use]
    pub fn is_active(&self) -> bool {
        FINALIZERS.get().lock().is_ok_and(|waiting| waiting.contains_key(&self.key))
    }

    /// Leaves the callback to the exit of the process.
    pub fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Finalizer {
    fn drop(&mut self) {
        self.run();
    }
}

impl fmt::Debug for Finalizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finalizer")
            .field("priority", &self.key.0)
            .field("active", &self.is_active())
            .finish()
    }
}

/// Has `callback` run when this process exits, before its children are ended; the latest registered runs first.
///
/// # Python
///
/// `atexit.register`, which children of every start method honour since 3.13.
pub fn at_exit(callback: impl FnOnce() + Send + 'static) {
    Finalizer::with_priority(0, callback).keep();
}

fn register(priority: Option<i32>, callback: Callback) -> Key {
    arm();
    let key = (priority, NUMBER.fetch_add(1, Ordering::Relaxed));
    if let Ok(mut waiting) = FINALIZERS.get().lock() {
        waiting.insert(key, callback);
    }
    key
}

fn take(key: Key) -> Option<Callback> {
    FINALIZERS.get().lock().ok()?.remove(&key)
}

/// Runs the finalizers that wait now and whose priority is at least `least`, the highest first.
///
/// One that panics is reported and does not keep the others from running.
pub fn run_finalizers(least: i32) {
    let Some(finalizers) = FINALIZERS.get_if_made() else { return };
    let Ok(waiting) = finalizers.lock() else { return };
    let keys: Vec<Key> = waiting.range((Some(least), 0)..).rev().map(|(key, _)| *key).collect();
    drop(waiting);
    for callback in keys.into_iter().filter_map(take) {
        if catch_unwind(AssertUnwindSafe(callback)).is_err() {
            logging::error(format_args!("a finalizer panicked"));
        }
    }
}

/// What the owner of the children does at exit: terminate the daemonic ones, wait for the others.
static CHILDREN: OnceLock<fn()> = OnceLock::new();

/// Registers what ends this process's children at exit; the first registration holds.
pub fn end_children_with(callback: fn()) {
    arm();
    let _ = CHILDREN.set(callback);
}

/// Sees to it that the order of leaving runs when this process exits.
fn arm() {
    static ARMED: AtomicBool = AtomicBool::new(false);
    if !ARMED.swap(true, Ordering::AcqRel) {
        // Out of memory at start-up: then `leave` is the only way that runs it.
        let _ = fork::at_exit(handler);
    }
}

extern "C" fn handler() {
    run_exit_order();
}

/// The generation, plus one, of the process that has begun to leave.
static LEFT: AtomicU32 = AtomicU32::new(0);

/// Runs the order of leaving, once in a process.
pub fn run_exit_order() {
    // Generations count from 0.
    let this = after_fork::generation() + 1;
    if LEFT.swap(this, Ordering::AcqRel) == this {
        return;
    }
    logging::info(format_args!("process shutting down"));
    logging::debug(format_args!("running all \"atexit\" finalizers with priority >= 0"));
    run_finalizers(0);
    if let Some(end_children) = CHILDREN.get() {
        end_children();
    }
    logging::debug(format_args!("running the remaining \"atexit\" finalizers"));
    run_finalizers(i32::MIN);
}

static FORKED: AtomicBool = AtomicBool::new(false);

/// Says that this process began inside another one's frames, so that it must leave without running what was registered
/// there.
pub fn set_forked() {
    FORKED.store(true, Ordering::Release);
}

/// Ends this process with `code`, after the order of leaving.
///
/// A forked process leaves by `_exit`, because the exit handlers of the C library that it has inherited are its
/// parent's; any other by `exit`.
pub fn leave(code: i32) -> ! {
    // Here, not only from `atexit`, whose handler is there only where something was registered.
    run_exit_order();
    logging::info(format_args!("process exiting with exitcode {code}"));
    if FORKED.load(Ordering::Acquire) {
        let _ = std::io::stdout().flush();
        fork::exit_now(code)
    }
    std::process::exit(code)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;

    /// Other tests of this binary use the same registry; this lock keeps them apart.
    static ALONE: Mutex<()> = Mutex::new(());

    #[test]
    fn higher_first_then_later_first() {
        let _alone = ALONE.lock();
        let (tell, told) = mpsc::channel();
        let make = |priority, name: &'static str| {
            let tell = tell.clone();
            Finalizer::with_priority(priority, move || tell.send(name).unwrap()).keep();
        };
        make(0, "d01");
        make(0, "d02");
        make(0, "d03");
        make(10, "d10");
        make(-100, "e");
        run_finalizers(0);
        run_finalizers(i32::MIN);
        drop(tell);
        assert_eq!(told.iter().collect::<Vec<_>>(), ["d10", "d03", "d02", "d01", "e"]);
    }

    #[test]
    fn cancelled_never_runs() {
        let ran = Arc::new(Mutex::new(false));
        let finalizer = Finalizer::new({
            let ran = ran.clone();
            move || *ran.lock().unwrap() = true
        });
        finalizer.cancel();
        assert!(!finalizer.is_active());
        finalizer.run();
        drop(finalizer);
        assert!(!*ran.lock().unwrap());
    }

    #[test]
    fn one_that_panics_does_not_stop_the_others() {
        let _alone = ALONE.lock();
        let (tell, told) = mpsc::channel();
        Finalizer::with_priority(5, move || tell.send(()).unwrap()).keep();
        Finalizer::with_priority(6, || panic!("expected by the test")).keep();
        run_finalizers(5);
        assert_eq!(told.recv(), Ok(()));
    }
}
