//! What the ring needs of the world: memory that others write to, sleep, and a name for each thread.
//!
//! The protocol is written over these traits, so that the very code that is shipped also runs in a model checker.

use std::{fmt, num::NonZeroU32};

use multiproc_shm::{SharedBytes, ShmError};
use multiproc_sys::primitive::{AtomicU32, AtomicU64, Ordering};

use super::{Refused, futex::Wake, layout::Fields, moment::Moment};

/// An atomic number.
pub(crate) trait Atomic<T>: fmt::Debug {
    fn load(&self, ordering: Ordering) -> T;
    fn store(&self, value: T, ordering: Ordering);
    fn swap(&self, value: T, ordering: Ordering) -> T;
    fn compare_exchange(&self, old: T, new: T, ok: Ordering, failed: Ordering) -> Result<T, T>;
    fn fetch_add(&self, value: T, ordering: Ordering) -> T;
    fn fetch_and(&self, bits: T, ordering: Ordering) -> T;
    fn fetch_or(&self, bits: T, ordering: Ordering) -> T;
    fn fetch_max(&self, value: T, ordering: Ordering) -> T;
}

macro_rules! atomic {
    ($atomic:ty, $number:ty) => {
        impl Atomic<$number> for $atomic {
            #[inline]
            fn load(&self, ordering: Ordering) -> $number {
                self.load(ordering)
            }
            #[inline]
            fn store(&self, value: $number, ordering: Ordering) {
                self.store(value, ordering);
            }
            #[inline]
            fn swap(&self, value: $number, ordering: Ordering) -> $number {
                self.swap(value, ordering)
            }
            #[inline]
            fn compare_exchange(
                &self,
                old: $number,
                new: $number,
                ok: Ordering,
                failed: Ordering,
            ) -> Result<$number, $number> {
                self.compare_exchange(old, new, ok, failed)
            }
            #[inline]
            fn fetch_add(&self, value: $number, ordering: Ordering) -> $number {
                self.fetch_add(value, ordering)
            }
            #[inline]
            fn fetch_and(&self, bits: $number, ordering: Ordering) -> $number {
                self.fetch_and(bits, ordering)
            }
            #[inline]
            fn fetch_or(&self, bits: $number, ordering: Ordering) -> $number {
                self.fetch_or(bits, ordering)
            }
            #[inline]
            fn fetch_max(&self, value: $number, ordering: Ordering) -> $number {
                self.fetch_max(value, ordering)
            }
        }
    };
}
atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);

/// What is done with bytes that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// An operation under way on a word, which the kernel finishes for a thread that is killed.
pub(crate) trait Named {
    /// The id of this thread, which is what it writes into a lock's word.
    fn tid(&self) -> u32;
}

/// What the ring needs.
pub(crate) trait World: Sized {
    type Word: Atomic<u32>;
    type Wide: Atomic<u64>;
    type Pending<'a>: Named
    where
        Self: 'a;

    /// The fields in front of the records.
    fn fields(&self) -> &Fields<Self::Word, Self::Wide>;

    /// The bytes for records.
    fn capacity(&self) -> usize;

    /// The word at a place among the records; none beyond the end, where only a damaged ring leads.
    fn word(&self, offset: usize) -> Result<&Self::Wide, Refused>;

    /// Bytes among the records.
    fn bytes(
        &self,
        offset: usize,
        length: usize,
        access: Access,
    ) -> Result<SharedBytes<'_>, Refused>;

    /// Has the line at a place fetched before it is written to.
    fn prefetch(&self, offset: usize);

    /// Sees to it that there is memory for so many bytes of records.
    fn reserve(&self, offset: usize, length: usize) -> Result<(), ShmError>;

    /// Gives the memory of so many bytes of records back.
    fn release(&self, offset: usize, length: usize) -> Result<(), ShmError>;

    /// Sets the event.
    fn announce(&self);

    /// Clears the event.
    fn clear(&self);

    /// Begins an operation on `word`: should this thread end before the result is dropped, the kernel marks the word if
    /// it names the thread, and wakes one sleeper of it unless it names another.
    fn begin<'a>(&'a self, word: &'a Self::Word) -> Self::Pending<'a>;

    /// Sleeps while `word` holds `expected`, until `end`.
    fn wait(&self, word: &Self::Word, expected: u32, kind: NonZeroU32, end: Moment) -> Wake;

    /// Wakes at most `count` sleepers of a kind.
    fn wake(&self, word: &Self::Word, count: u32, kind: NonZeroU32);

    /// Whether a thread still runs.
    fn is_alive(&self, tid: u32) -> bool;

    /// The core that this runs on, counted from 1; 0 where it is not known.
    fn core(&self) -> u32;

    /// Waits for the moment after which a look may be worth while; false where it never is.
    fn relax(&self) -> bool;

    /// Lets others run.
    fn give_way(&self);

    /// Orders all that was done before for all who do the same.
    fn fence(&self);
}
