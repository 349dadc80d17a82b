//! What a protocol needs of the world: atomic words, sleep, and news of deaths.

use multiproc_sys::primitive::{AtomicU32, AtomicU64, Ordering};

use super::patience::Patience;

/// The one value of a bell that says that somebody may sleep on it. Its low 30 bits are 0, as they are in 0, so that the
/// kernel wakes for a bell that is pending whatever it holds.
pub(crate) const WAITERS: u32 = 1 << 31;

/// What a bell holds where one sleeps for the end of an epoch, by the number of that.
///
/// Two epochs that follow each other have two values, so that who looked in one and is about to fall asleep does not do so
/// on the word of who sleeps in the next.
pub(crate) fn waiters_of(epoch: u64) -> u32 {
    if epoch.is_multiple_of(2) { WAITERS } else { WAITERS >> 1 }
}

/// An atomic number.
pub(crate) trait Atomic<T> {
    fn load(&self, ordering: Ordering) -> T;
    fn store(&self, value: T, ordering: Ordering);
    fn swap(&self, value: T, ordering: Ordering) -> T;
    fn compare_exchange(&self, old: T, new: T, ok: Ordering, failed: Ordering) -> Result<T, T>;
    fn fetch_or(&self, bits: T, ordering: Ordering) -> T;
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
            fn fetch_or(&self, bits: $number, ordering: Ordering) -> $number {
                self.fetch_or(bits, ordering)
            }
        }
    };
}
#[cfg(test)]
pub(crate) use atomic;

atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);

/// How long to sleep before looking again by oneself.
pub(crate) enum Attention<'a, W> {
    /// Long: what one waits for rings, also when somebody is killed.
    Bell,
    /// Long: the kernel changes this word when a process ends.
    Watch(&'a W, u32),
    /// Short: nobody may say when it happens.
    Often,
}

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// Perhaps somebody woke us.
    Woken,
    /// Somebody woke us, by another word than the first.
    Beside,
    /// It is time to look around.
    Look,
    /// The deadline has passed.
    Over,
}

/// Whether the process of a name lives.
pub(crate) enum Life<'a, W> {
    Watched(&'a W, u32),
    Unwatched,
    Dead,
}

/// What a protocol needs.
pub(crate) trait World {
    type Word: Atomic<u32>;
    type Wide: Atomic<u64>;
    type Owed<'a>
    where
        Self: 'a;

    /// Has the kernel wake one sleeper of `word` should this thread end before the result is dropped.
    fn owe<'a>(&'a self, word: &'a Self::Word) -> Self::Owed<'a>;

    /// Wakes up to `most` that sleep on `word`, and returns how many.
    fn wake(&self, word: &Self::Word, most: u32) -> u32;

    fn wake_one(&self, word: &Self::Word) {
        self.wake(word, 1);
    }

    fn wake_all(&self, word: &Self::Word) {
        self.wake(word, i32::MAX.unsigned_abs());
    }

    /// Has one that sleeps on `from`, which holds `expected`, sleep on `to` instead; false if there is none.
    fn move_one(&self, from: &Self::Word, expected: u32, to: &Self::Word) -> bool;

    /// Sleeps while all the words hold what is expected of them, and `holder` this name in its low half.
    fn sleep(
        &self,
        words: &[(&Self::Word, u32)],
        holder: Option<(&Self::Wide, u32)>,
        attention: &Attention<'_, Self::Word>,
        patience: &mut Patience,
    ) -> Sleep;

    /// Whether the process of this name, which is not 0, lives.
    fn life(&self, name: u32) -> Life<'_, Self::Word>;

    /// True if nobody but the caller can reach the object any more.
    fn is_abandoned(&self) -> bool;

    /// The core that this runs on, counted from 1; 0 where it does not matter.
    fn core(&self) -> u32;

    /// Waits a moment while the holder of a lock may be about to give it back.
    fn relax(&self) -> bool;
}

/// Wakes one that sleeps on `bell`, if it says so.
#[inline]
pub(crate) fn ring_one<W: World>(world: &W, bell: &W::Word) {
    // The change before this one, on the word that the bell belongs to, was a read-modify-write, and so is the last look
    // of whoever goes to sleep: one of the two comes first, and then sees or is seen.
    if bell.load(Ordering::Relaxed) != 0 {
        ring_one_slowly(world, bell);
    }
}

#[cold]
fn ring_one_slowly<W: World>(world: &W, bell: &W::Word) {
    if bell.swap(0, Ordering::AcqRel) != 0 {
        world.wake_one(bell);
    }
}

/// What a bell holds while all its sleepers are being woken; left there by one who was killed at it.
const RINGING: u32 = WAITERS | WAITERS >> 1;

/// Wakes all that sleep on `bell`, if it says that there are any.
#[inline]
pub(crate) fn ring_all<W: World>(world: &W, bell: &W::Word) {
    // As in `ring_one`.
    if bell.load(Ordering::Relaxed) != 0 {
        bell.swap(RINGING, Ordering::AcqRel);
        world.wake_all(bell);
        // Whoever came meanwhile has said so, and that stays.
        let _ = bell.compare_exchange(RINGING, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// What one does who has said on the bell that it would sleep, and then does not any more. Whoever rang it may be dead; and
/// others may have looked at the state before it changed, and be about to fall asleep on a bell that says what it did then.
pub(crate) fn pass_on<W: World>(world: &W, bell: &W::Word) {
    ring_all(world, bell);
}
