//! An operation on a word of the ring that the kernel finishes for a thread that is killed.
//!
//! The word of a lock names its holder by the thread's id, so the kernel does more here than deliver a wake-up: a word
//! that names the dying thread it marks [`OWNER_DIED`](super::lock::OWNER_DIED), as that of a robust mutex, and wakes
//! one sleeper.
//!
//! **Invariant:** between [`begin`] and the drop of what it returns no code of the user's runs and nothing panics.

use std::cell::Cell;

use multiproc_image::after_fork;
use multiproc_sys::{pending, primitive::AtomicU32};

thread_local! {
    /// The id of this thread; 0 until it has been asked for.
    static TID: Cell<u32> = const { Cell::new(0) };
}

/// An operation under way; dropping it ends it.
pub(crate) struct Pending<'a> {
    tid: u32,
    _owed: pending::Pending<'a>,
}

/// Begins an operation on `word`.
#[inline]
pub(super) fn begin(word: &AtomicU32) -> Pending<'_> {
    let mut tid = TID.get();
    if tid == 0 {
        tid = look();
    }
    Pending { tid, _owed: pending::pend(word) }
}

impl Pending<'_> {
    /// The id of this thread, which is what it writes into a lock's word.
    #[inline]
    pub(super) fn tid(&self) -> u32 {
        self.tid
    }
}

#[cold]
fn look() -> u32 {
    // The only thread of a forked child is another one than that which forked.
    after_fork::register(|| TID.set(0));
    let tid = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
    TID.set(tid);
    tid
}
