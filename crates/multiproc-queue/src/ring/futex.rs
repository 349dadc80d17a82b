//! Sleeping on a word that several processes map.
//!
//! No `PRIVATE` flag: sleepers and wakers are of different processes. Sleepers of two kinds may share a word, told apart
//! by a bit; the kernel's own wake-up after a death reaches either.

use std::num::NonZeroU32;

use multiproc_sys::primitive::AtomicU32;
use rustix::{
    io::Errno,
    thread::futex::{self, Flags},
};

use super::moment::Moment;

/// Those who wait for the lock that is the word itself.
pub(super) const LOCKERS: NonZeroU32 = NonZeroU32::new(1).expect("not 0");
/// The one who holds the other side's lock and waits for this side to do something.
pub(super) const LEADER: NonZeroU32 = NonZeroU32::new(2).expect("not 0");
/// Those of the first kind that do not want to wait for a leader.
pub(super) const HASTY: NonZeroU32 = NonZeroU32::new(1 | 4).expect("not 0");
/// What tells them from the others.
pub(super) const HASTY_ONLY: NonZeroU32 = NonZeroU32::new(4).expect("not 0");
/// Whoever sleeps there.
pub(super) const ANYBODY: NonZeroU32 = NonZeroU32::MAX;

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// Somebody woke us.
    Woken,
    /// The word had changed already, or a signal came.
    Retry,
    /// Time is up.
    TimedOut,
}

/// Sleeps while `word` holds `expected`, until `end`.
pub(super) fn wait(word: &AtomicU32, expected: u32, kind: NonZeroU32, end: Moment) -> Wake {
    match futex::wait_bitset(word, Flags::empty(), expected, Some(&end.timespec()), kind) {
        Ok(()) => Wake::Woken,
        Err(Errno::TIMEDOUT) => Wake::TimedOut,
        // Also where a sandbox forbids it: then it is a busy wait, which is right if not cheap.
        Err(_) => Wake::Retry,
    }
}

/// Wakes at most `count` sleepers of a kind.
pub(super) fn wake(word: &AtomicU32, count: u32, kind: NonZeroU32) {
    let _ = futex::wake_bitset(word, Flags::empty(), count, kind);
}
