//! Sleeping on a word of shared memory until another process changes it.
//!
//! **Invariant:** a word may be mapped at different addresses in different processes, so no call sets
//! `FUTEX_PRIVATE_FLAG`: with it, waiting would work between threads and fail between processes.
//!
//! A sleep ends early for many reasons (a signal, a wake-up meant for somebody before us), so whoever sleeps looks at
//! the word again. Deadlines are moments, not spans: what is interrupted goes on against the same deadline.

use std::{cell::Cell, marker::PhantomData, time::Instant};

use rustix::{
    io::Errno,
    thread::{
        ClockId,
        futex::{self, Flags, Timespec, Wait, WaitFlags, WaitPtr, WaitvFlags},
    },
    time::clock_gettime,
};

use crate::{
    primitive::{AtomicU32, AtomicU64},
    switch::{Feature, is_missing, without},
};

/// No `PRIVATE` flag: waiters in other processes must see our wake-ups.
const SHARED: Flags = Flags::empty();

/// Why a sleep came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a sleep may end early, so the caller has to look at the word again"]
pub enum Wake {
    /// Somebody woke us, the word had changed before, or a signal arrived.
    Retry,
    /// Somebody woke us, by another word than the first.
    Beside,
    /// The deadline has passed.
    TimedOut,
}

/// Sleeps while `word` holds `expected`, until `deadline` at the latest.
pub fn wait(word: &AtomicU32, expected: u32, deadline: Option<Instant>) -> Wake {
    let until = deadline.map(on_the_clock);
    match futex::wait_bitset(word, SHARED, expected, until.as_ref(), std::num::NonZero::<u32>::MAX)
    {
        Err(Errno::TIMEDOUT) => Wake::TimedOut,
        // A word in mapped memory that is aligned: what is left is EAGAIN and EINTR.
        Ok(()) | Err(_) => Wake::Retry,
    }
}

/// Four bytes to sleep on beside others.
#[derive(Clone, Copy, Debug)]
pub struct Word<'a> {
    place: *mut u32,
    word: PhantomData<&'a AtomicU32>,
}

impl<'a> From<&'a AtomicU32> for Word<'a> {
    fn from(word: &'a AtomicU32) -> Self {
        Self { place: word.as_ptr(), word: PhantomData }
    }
}

impl<'a> Word<'a> {
    /// The low half of a number of eight bytes, for the kernel to look at: what changes it changes the whole number.
    #[must_use]
    pub fn low_half_of(number: &'a AtomicU64) -> Self {
        let half = if cfg!(target_endian = "little") { 0 } else { 1 };
        Self { place: number.as_ptr().cast::<u32>().wrapping_add(half), word: PhantomData }
    }
}

/// How many words one can sleep on at once.
const MOST: usize = 4;

/// Sleeps while each of several words, of which there are up to four, holds what is expected of it, until `deadline` at the
/// latest; none where the kernel (before 5.16) or a sandbox does not let one sleep on several words.
///
/// # Panics
///
/// Panics if there are more.
pub fn wait_for_any(words: &[(Word<'_>, u32)], deadline: Option<Instant>) -> Option<Wake> {
    if without(Feature::FutexWaitv) {
        return None;
    }
    let mut waits = [Wait::new(); MOST];
    for (wait, (word, expected)) in waits[..words.len()].iter_mut().zip(words) {
        wait.val = (*expected).into();
        wait.uaddr = WaitPtr::new(word.place.cast());
        wait.flags = WaitFlags::SIZE_U32;
    }
    let until = deadline.map(on_the_clock);
    let (flags, clock) = (WaitvFlags::empty(), ClockId::Monotonic);
    match futex::waitv(&waits[..words.len()], flags, until.as_ref(), clock) {
        Err(Errno::TIMEDOUT) => Some(Wake::TimedOut),
        Err(errno) if is_missing(errno) => None,
        // Of several that woke us the last is named, so a wake-up by the first alone hides none of the others.
        Ok(0) | Err(_) => Some(Wake::Retry),
        Ok(_) => Some(Wake::Beside),
    }
}

/// Wakes one that sleeps on `word`, if there is one.
pub fn wake_one(word: &AtomicU32) {
    wake(word, 1);
}

/// Wakes all that sleep on `word`.
pub fn wake_all(word: &AtomicU32) {
    wake(word, i32::MAX.unsigned_abs());
}

/// Wakes up to `most` that sleep on `word`, and returns how many there were.
pub fn wake(word: &AtomicU32, most: u32) -> u32 {
    // An aligned word in mapped memory: there is nothing that the kernel could find wrong.
    futex::wake(word, SHARED, most).map_or(0, |count| count as u32)
}

/// Has one that sleeps on `from`, as long as that holds `expected`, sleep on `to` instead, as if it had gone to sleep there;
/// false if nobody sleeps on `from`, or that cannot be done.
#[must_use = "where nobody was moved, somebody may have to be woken"]
pub fn move_one(from: &AtomicU32, expected: u32, to: &AtomicU32) -> bool {
    matches!(futex::cmp_requeue(from, SHARED, 0, 1, to, expected), Ok(count) if count != 0)
}

thread_local! {
    /// A moment as both clocks say it. Of each thread, as a lock could be copied by a fork while it is held.
    static BASE: Cell<Option<(Instant, Timespec)>> = const { Cell::new(None) };
}

/// The moment on the clock that the kernel's time-outs are measured by.
fn on_the_clock(deadline: Instant) -> Timespec {
    let (instant, moment) = BASE.get().unwrap_or_else(read_both);
    let left = deadline.saturating_duration_since(instant);
    let nanoseconds = moment.tv_nsec + i64::from(left.subsec_nanos());
    let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
    Timespec {
        tv_sec: moment.tv_sec.saturating_add(seconds).saturating_add(nanoseconds / 1_000_000_000),
        tv_nsec: nanoseconds % 1_000_000_000,
    }
}

/// Reads both clocks together.
///
/// `Instant` is on the same clock, and does not say where. What lies between the two readings is by how much deadlines are
/// late, so of a few pairs the closest is kept.
#[cold]
fn read_both() -> (Instant, Timespec) {
    let pair = || {
        let instant = Instant::now();
        let moment = clock_gettime(rustix::time::ClockId::Monotonic);
        (instant.elapsed(), (instant, moment))
    };
    let closest =
        (0..3).map(|_| pair()).fold(pair(), |best, next| if next.0 < best.0 { next } else { best });
    BASE.set(Some(closest.1));
    closest.1
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::primitive::Ordering;

    #[test]
    fn changed_word_is_not_slept_on() {
        let word = AtomicU32::new(0);
        assert_eq!(wait(&word, 1, None), Wake::Retry);
        let either = wait_for_any(&[((&word).into(), 0), ((&word).into(), 1)], None);
        assert!(matches!(either, None | Some(Wake::Retry)));
    }

    #[test]
    fn deadline_ends_a_sleep_and_a_past_one_does_so_at_once() {
        let word = AtomicU32::new(0);
        for after in [Duration::ZERO, Duration::from_millis(2)] {
            let deadline = Instant::now() + after;
            // A signal may end a sleep early. Were the deadline lost, this would hang.
            while wait(&word, 0, Some(deadline)) == Wake::Retry {}
            let both = [((&word).into(), 0), ((&word).into(), 0)];
            while wait_for_any(&both, Some(deadline)) == Some(Wake::Retry) {}
            assert!(deadline <= Instant::now());
        }
    }

    #[test]
    fn any_word_wakes() {
        static WORDS: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];
        for rung in &WORDS {
            let sleeper = std::thread::spawn(|| {
                let [a, b] = &WORDS;
                while a.load(Ordering::Acquire) + b.load(Ordering::Acquire) == 0 {
                    if wait_for_any(&[(a.into(), 0), (b.into(), 0)], None).is_none() {
                        std::thread::yield_now();
                    }
                }
            });
            rung.store(1, Ordering::Release);
            wake_all(rung);
            sleeper.join().unwrap();
            rung.store(0, Ordering::Release);
        }
    }

    #[test]
    fn sleeper_is_told_that_another_word_than_the_first_woke_it() {
        static WORDS: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];
        let sleeper = std::thread::spawn(|| {
            let both = WORDS.each_ref().map(|word| (word.into(), 0));
            // A signal may end a sleep early.
            loop {
                match wait_for_any(&both, None) {
                    Some(Wake::Retry) => {}
                    woken => return woken,
                }
            }
        });
        while !sleeper.is_finished() {
            wake_all(&WORDS[1]);
            std::thread::yield_now();
        }
        assert!(matches!(sleeper.join().unwrap(), None | Some(Wake::Beside)));
    }
}
