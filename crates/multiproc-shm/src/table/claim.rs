//! Taking an entry.

#![expect(unsafe_code, reason = "the mutex of the entry")]

use std::sync::{Mutex, PoisonError, mpsc};

use multiproc_image::{after_fork::ForkLocal, threads};
use multiproc_sys::{
    alive::{self, OWNER_DIED},
    futex,
    primitive::Ordering,
};
use rustix::thread::gettid;

use super::{
    TableError,
    entry::{Entry, Layout},
    life,
    name::{ENTRIES, Name},
    stat::{self, Stat},
};

/// Held while an entry is taken, so that a process takes only one.
pub(super) static TAKING: ForkLocal<Mutex<()>> = ForkLocal::new(|_| Mutex::new(()));

/// Takes an entry for this process, which the first thread holds, or a thread that does nothing else.
pub(super) fn claim(layout: Layout<'static>) -> Result<Name, TableError> {
    let namespace = layout.namespace();
    if namespace != 0 && namespace != stat::namespace() {
        return Err(TableError::Namespace);
    }
    if multiproc_sys::threads::is_first() {
        return take(layout, true);
    }
    let (tell, told) = mpsc::sync_channel(1);
    let keeper = threads::spawn("multiproc-keeper", move || {
        let _ = tell.send(take(layout, true));
        loop {
            std::thread::park();
        }
    });
    match keeper.ok().and_then(|_| told.recv().ok()) {
        Some(taken) => taken,
        // No more threads: then those who wait for us have to look for themselves.
        None => take(layout, false),
    }
}

/// Takes an entry and, where it is to be watched, has this thread hold it until its end.
fn take(layout: Layout<'static>, watched: bool) -> Result<Name, TableError> {
    let pid = std::process::id();
    // Without /proc the start is not known here, and never asked for elsewhere.
    let me = Stat::of(pid.cast_signed());
    let (number, name) = find(layout, pid, me.map_or(0, |me| me.start))?;
    let entry = layout.entry(number);
    let old = entry.alive();
    entry.alive_at().store(0, Ordering::Release);
    entry.thread().store(gettid().as_raw_nonzero().get().cast_unsigned(), Ordering::Release);
    entry.set_stack(me.map_or(0, |me| me.stack), name.generation());
    // SAFETY: The entry is ours since `find`, and its last owner has ended; tables are never unmapped.
    let held = if watched { unsafe { alive::hold_until_death(entry.mutex()) } } else { None };
    match held {
        Some(offset) => entry.set_alive(offset),
        None => layout.unwatched().store(1, Ordering::Release),
    }
    if let Some(word) = old.or(entry.alive()) {
        futex::wake_all(word);
    }
    Ok(name)
}

/// Finds an entry whose owner is dead, or one that never had any, and makes it ours.
fn find(layout: Layout<'static>, pid: u32, start: u64) -> Result<(usize, Name), TableError> {
    for number in 0..ENTRIES {
        let entry = layout.entry(number);
        if layout.high().load(Ordering::Acquire) as usize <= number {
            // All later ones are new: there has to be memory before one is touched.
            let (offset, len) = Layout::place(number);
            layout.0.reserve(offset, len)?;
        }
        let claim = entry.who();
        if !claim.is_free() && !is_abandoned(entry) {
            continue;
        }
        let ours = claim.succeeded_by(pid, start);
        let taken =
            entry.claim().compare_exchange(claim.0, ours.0, Ordering::AcqRel, Ordering::Relaxed);
        if taken.is_ok() {
            layout.high().fetch_max(number as u32 + 1, Ordering::AcqRel);
            return Ok((number, Name::new(number, ours.generation())));
        }
    }
    Err(TableError::Exhausted(ENTRIES))
}

/// True if the owner of an entry is dead.
fn is_abandoned(entry: Entry<'static>) -> bool {
    let claim = entry.who();
    let lives =
        |word: &multiproc_sys::primitive::AtomicU32| word.load(Ordering::Acquire) & OWNER_DIED == 0;
    !entry.alive().is_some_and(lives) && life::is_dead(entry, claim)
}

/// Runs `claim` unless another thread has done so meanwhile.
pub(super) fn once<T>(
    known: impl Fn() -> Option<T>,
    claim: impl FnOnce() -> Result<T, TableError>,
) -> Result<T, TableError> {
    let _taking = TAKING.get().lock().unwrap_or_else(PoisonError::into_inner);
    known().map_or_else(claim, Ok)
}
