//! Does the process that a lock word names still live?

use std::{os::fd::AsFd, time::Instant};

use multiproc_sys::{
    alive::OWNER_DIED,
    futex, pidfd, poll,
    primitive::{AtomicU32, Ordering},
};
use rustix::{io::Errno, process::Pid};

use super::{
    entry::{Entry, Layout},
    name::{Claim, Name},
    stat::{self, Stat},
};

/// Whether a process lives, and how one learns of its end.
#[derive(Clone, Copy, Debug)]
pub enum Life {
    /// It lives. When it ends the kernel changes this word and wakes one who sleeps on it.
    Watched(Watch),
    /// It lives, as far as can be told, and nobody will say when it ends: look again.
    Unwatched,
    /// It has ended, or has executed another program. None of its code that could use a lock runs any more.
    Dead,
}

/// A word, and what it holds while a process lives.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// The word to sleep on.
    pub word: &'static AtomicU32,
    /// What it has to hold.
    pub value: u32,
}

/// Whether the process of this name lives.
pub(super) fn of(layout: Layout<'static>, name: Name) -> Life {
    let entry = layout.entry_of(name);
    loop {
        let claim = entry.who();
        if claim.generation() != name.generation() || claim.is_free() {
            return Life::Dead;
        }
        let word = entry.alive();
        let value = word.map(|word| word.load(Ordering::Acquire));
        if entry.who() != claim {
            // Taken over between the two looks, so the word may be the next one's.
            continue;
        }
        return match (word, value) {
            (Some(word), Some(value)) if value & OWNER_DIED == 0 => {
                Life::Watched(Watch { word, value })
            }
            (Some(word), _) => {
                // The kernel has woken one, us perhaps, and there may be more.
                futex::wake_all(word);
                if is_dead(entry, claim) { Life::Dead } else { Life::Unwatched }
            }
            _ => {
                if is_dead(entry, claim) {
                    Life::Dead
                } else {
                    Life::Unwatched
                }
            }
        };
    }
}

/// Looks at a process by its pid: true if it will not run code of its program any more.
pub(super) fn is_dead(entry: Entry<'_>, claim: Claim) -> bool {
    let Some(pid) = Pid::from_raw(claim.pid()) else { return true };
    match pidfd::open(pid) {
        Ok(Some(process)) => {
            if poll::wait_readable(process.as_fd(), Some(Instant::now())).unwrap_or(false) {
                return true;
            }
        }
        // There is no such process; or the number is one of a thread that is not the first of its process.
        Err(err) if matches!(Errno::from_io_error(&err), Some(Errno::SRCH | Errno::INVAL)) => {
            return true;
        }
        Ok(None) | Err(_) => {}
    }
    let Some(stat) = Stat::of(claim.pid()) else {
        // Without /proc nothing more can be known; with it, there is no such process.
        return Stat::of(std::process::id().cast_signed()).is_some();
    };
    if !claim.started_at(stat.start) || stat::all_exiting(claim.pid()) {
        return true;
    }
    has_executed(entry, claim, stat)
}

/// True if the process runs another program than when it took its entry.
fn has_executed(entry: Entry<'_>, claim: Claim, stat: Stat) -> bool {
    // What the owner before has written says nothing of this one, which may be about to write.
    let stack = entry.stack(claim.generation());
    if stack != 0 && stat.stack != 0 && stack != stat.stack {
        return true;
    }
    // The first thread is marked when it ends, after which it is on its way out, and when it executes.
    let marked = entry.alive().is_some_and(|word| word.load(Ordering::Acquire) & OWNER_DIED != 0);
    let by_first = entry.thread().load(Ordering::Acquire) == claim.pid().cast_unsigned();
    marked && by_first && !stat.is_exiting
}
