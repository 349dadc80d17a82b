//! Catching a panic with everything that is known of it.
//!
//! The place and the stack of a panic are known only to the panic hook, the payload's fate only to the one who catches.
//! So a hook, set once in a process, writes down what it sees while [`catch`] is on the stack of that thread; the hook
//! that was there before still prints.

use std::{
    any::Any,
    backtrace::Backtrace,
    cell::RefCell,
    mem::ManuallyDrop,
    panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind},
    sync::{OnceLock, PoisonError, RwLock, RwLockWriteGuard, TryLockError},
};

use multiproc_image::{after_fork::ForkLocal, family};
use multiproc_sys::primitive::{AtomicBool, Ordering};

use crate::PanicReport;

/// What to do with the report of a panic that cannot be caught.
pub type LastWords = fn(&PanicReport);

thread_local! {
    /// Some while a `catch` is on this thread's stack, and none when the thread ends: so it needs no destructor, whose
    /// registration would cost a forked child more pages than all the rest of `catch`.
    static WATCHED: RefCell<ManuallyDrop<Option<Watch>>> = const { RefCell::new(ManuallyDrop::new(None)) };
}

struct Watch {
    last_words: LastWords,
    seen: Option<PanicReport>,
}

/// Calls `function`; a panic in it becomes a report.
///
/// Where a panic ends the process at once (`panic = "abort"`), `last_words` is called with the report from within the
/// hook, as the last thing that happens.
///
/// # Errors
///
/// The report of the panic.
pub fn catch<T>(function: impl FnOnce() -> T, last_words: LastWords) -> Result<T, PanicReport> {
    watch_panics();
    let outer = WATCHED.replace(ManuallyDrop::new(Some(Watch { last_words, seen: None })));
    let result = catch_unwind(AssertUnwindSafe(function));
    let watch = ManuallyDrop::into_inner(WATCHED.replace(outer));
    result.map_err(|payload| {
        let message = message_of(payload.as_ref());
        match watch.and_then(|watch| watch.seen) {
            // The last panic that was seen may be one that the function caught itself.
            Some(seen) if seen.message == message => seen,
            _ => PanicReport { message, location: None, backtrace: None },
        }
    })
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// Sets the hook, unless this process, or the one that it was forked from, has done so.
pub(crate) fn watch_panics() {
    static SET: AtomicBool = AtomicBool::new(false);
    static PREVIOUS: OnceLock<Hook> = OnceLock::new();
    if SET.swap(true, Ordering::AcqRel) {
        return;
    }
    // Made before it is needed: a panic may be about memory.
    TELLING.get();
    let _ = PREVIOUS.set(panic::take_hook());
    panic::set_hook(Box::new(|info| {
        let _telling = TELLING.get().read().unwrap_or_else(PoisonError::into_inner);
        let report = observe(info);
        if let Some(previous) = PREVIOUS.get() {
            previous(info);
        }
        if let Some((report, last_words)) = report
            && cfg!(panic = "abort")
        {
            last_words(&report);
        }
    }));
}

/// Read by whoever tells of a panic: std guards backtraces by a lock that a forked child would find locked for ever.
///
/// Only a fork writes, and does not wait for it: a hook of the user's may wait for another thread that panics.
static TELLING: ForkLocal<RwLock<()>> = ForkLocal::new(|_| RwLock::new(()));

/// Keeps other threads from telling of a panic; none if one does so right now.
pub(crate) fn try_silence() -> Option<RwLockWriteGuard<'static, ()>> {
    match TELLING.get().try_write() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(err)) => Some(err.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Writes down what is known of a panic, and prints whose it is.
fn observe(info: &PanicHookInfo<'_>) -> Option<(PanicReport, LastWords)> {
    let last_words = WATCHED.with_borrow(|watch| watch.as_ref().map(|watch| watch.last_words))?;
    let report = PanicReport {
        message: message_of(info.payload()),
        location: info.location().map(ToString::to_string),
        backtrace: backtrace(),
    };
    crate::run::print_header(&family::record().name);
    WATCHED.with_borrow_mut(|watch| {
        if let Some(watch) = watch.as_mut() {
            watch.seen = Some(report.clone());
        }
    });
    Some((report, last_words))
}

fn backtrace() -> Option<String> {
    let forbidden = ["RUST_LIB_BACKTRACE", "RUST_BACKTRACE"].into_iter().find_map(std::env::var_os);
    (forbidden.is_none_or(|value| value != "0")).then(|| Backtrace::force_capture().to_string())
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a payload that is not text".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_has_message_place_and_stack() {
        let report = catch(|| panic!("seven {}", 7), |_| {}).unwrap_err();
        assert_eq!(report.message, "seven 7");
        assert!(report.location.unwrap().contains("panics.rs"));
        assert_eq!(
            report.backtrace.is_some(),
            std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value != "0")
        );
    }

    #[test]
    fn panic_that_was_caught_inside_is_not_reported() {
        let value = catch(|| catch_unwind(|| panic!("inner")).is_err(), |_| {});
        assert_eq!(value, Ok(true));
        let report = catch(
            || {
                let _ = catch_unwind(|| panic!("inner"));
                panic::resume_unwind(Box::new("outer"));
            },
            |_| {},
        )
        .unwrap_err();
        assert_eq!((report.message.as_str(), report.location), ("outer", None));
    }
}
