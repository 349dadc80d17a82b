//! The lock that has what it guards.

#![expect(unsafe_code, reason = "the lock makes the value behind it exclusive")]

use std::{fmt, marker::PhantomData, ptr::NonNull, time::Duration};

use multiproc_shm::{Shareable, copy};
use multiproc_sys::primitive::Ordering::{Acquire, Relaxed};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    MutexError, SyncError,
    place::{Kind, LOCK, LOCK_SIZE, Place},
    protocol::{
        lock::{RawLock, Stop, Taken, name_in},
        patience::Patience,
    },
};

mod guard;

pub use guard::MutexGuard;

/// Two flags: the next ones.
const DOUBT: usize = LOCK_SIZE;
/// From when a holder has died with the lock until the value has been repaired.
const IN_DOUBT: u32 = 1;
/// While one holds the lock who took it in a panic, so that its panic is not one with the value in hand.
const IN_PANIC: u32 = 2;
const VALUE: usize = 16;

/// A value in shared memory that one thread of all processes has at a time.
///
/// It is plain data, see [`Shareable`]: numbers, `bool`, `char`, arrays and tuples of such, and structs that say
/// `#[derive(Clone, Copy, Shareable)]`. It takes 16 bytes of shared memory beside the value, and no descriptor. Clones are handles to the same value; so is what arrives when one is sent as an
/// argument, in a message or as a field, and what a forked child has.
///
/// # If a process dies
///
/// If it was killed while it had the value, the next that wants it gets [`MutexError::OwnerDied`], and so does everybody
/// until somebody looks at the value and [repairs](Self::lock_or_repair) it. What is then no value of its type, a `bool` or
/// a `char`, is zero. A panic with the value in hand counts as such a death.
///
/// # Python
///
/// There is none: `multiprocessing.Value` has its lock beside it. It is `std::sync::Mutex`, between processes.
///
/// # Examples
///
/// ```
/// use multiproc_sync::Mutex;
///
/// let total = Mutex::new(0u64)?;
/// *total.lock()? += 7;
///
/// // What a process was killed with may be half changed: say what it is to be then.
/// let mut value = total.lock_or_repair(|half_changed| *half_changed = 0)?;
/// *value += 1;
/// assert_eq!(*value, 8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Mutex<T> {
    place: Place,
    value: PhantomData<T>,
}

impl<T: Shareable> Mutex<T> {
    /// Where the value stands in the block: aligned as the block is.
    const AT: usize = VALUE.next_multiple_of(align_of::<T>());
    const SIZE: usize = Self::AT + size_of::<T>();

    /// Makes a value that is shared.
    ///
    /// # Errors
    ///
    /// [`SyncError::Memory`], [`SyncError::Table`].
    pub fn new(value: T) -> Result<Self, SyncError> {
        let place = Place::new(Kind::Mutex, Self::SIZE, align_of::<T>())?;
        let mutex = Self { place, value: PhantomData };
        // SAFETY: Valid, aligned, and nobody else knows of the block yet.
        unsafe { mutex.value().write(value) };
        Ok(mutex)
    }

    /// Waits until nobody else has the value, and has it for as long as the returned guard lives.
    ///
    /// # Errors
    ///
    /// [`MutexError::OwnerDied`] if somebody died with it and it has not been repaired; nobody has it then.
    /// [`MutexError::Nested`] if the calling thread has it already; [`MutexError::Sync`].
    #[inline(always)]
    pub fn lock(&self) -> Result<MutexGuard<'_, T>, MutexError> {
        if self.take_free() { self.checked() } else { self.lock_slowly() }
    }

    #[cold]
    fn lock_slowly(&self) -> Result<MutexGuard<'_, T>, MutexError> {
        match self.wait(&mut Patience::endless())? {
            true => self.checked(),
            false => Err(SyncError::Abandoned.into()),
        }
    }

    /// Has the value if nobody else has it; none if somebody has.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), without [`MutexError::Nested`].
    #[inline]
    pub fn try_lock(&self) -> Result<Option<MutexGuard<'_, T>>, MutexError> {
        if self.take_free() { self.checked().map(Some) } else { self.try_lock_slowly() }
    }

    #[cold]
    fn try_lock_slowly(&self) -> Result<Option<MutexGuard<'_, T>>, MutexError> {
        let me = self.place.holder().map_err(SyncError::from)?;
        match self.raw().try_take(me) {
            Some(taken) => {
                self.taken(taken);
                self.checked().map(Some)
            }
            None => Ok(None),
        }
    }

    /// Waits until nobody else has the value, for at most `timeout`; none if somebody has it then.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> Result<Option<MutexGuard<'_, T>>, MutexError> {
        match self.wait(&mut Patience::for_at_most(timeout))? {
            true => self.checked().map(Some),
            false => Ok(None),
        }
    }

    /// Waits until nobody else has the value, and has it; if somebody died with it, `repair` is called first.
    ///
    /// If that is killed too, or panics, the value stays in doubt.
    ///
    /// # Errors
    ///
    /// [`MutexError::Nested`], [`MutexError::Sync`].
    pub fn lock_or_repair(
        &self,
        repair: impl FnOnce(&mut T),
    ) -> Result<MutexGuard<'_, T>, MutexError> {
        if !self.wait(&mut Patience::endless())? {
            return Err(SyncError::Abandoned.into());
        }
        let mut guard = MutexGuard::new(self);
        let doubt = self.place.word(DOUBT);
        if doubt.load(Relaxed) & IN_DOUBT != 0 {
            repair(&mut guard);
            doubt.store(doubt.load(Relaxed) & !IN_DOUBT, Relaxed);
        }
        Ok(guard)
    }

    /// Returns true if somebody died with the value and it has not been repaired, as far as has been noticed.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.place.word(DOUBT).load(Acquire) & IN_DOUBT != 0
    }

    /// Waits and takes the lock; false if the time is over.
    #[cold]
    fn wait(&self, patience: &mut Patience) -> Result<bool, MutexError> {
        let me = self.place.holder().map_err(SyncError::from)?;
        if self.place.wide(LOCK).load(Relaxed) == me {
            return Err(MutexError::Nested);
        }
        match self.raw().take(me, patience) {
            Ok(taken) => {
                self.taken(taken);
                Ok(true)
            }
            Err(Stop::Over) => Ok(false),
            Err(Stop::Abandoned) => Err(SyncError::Abandoned.into()),
        }
    }

    fn taken(&self, taken: Taken) {
        if taken == Taken::FromDead {
            // Killed before this is done, the next takes it from the dead again.
            self.make_a_value();
            self.place.word(DOUBT).store(IN_DOUBT, Relaxed);
        }
    }

    /// Takes a free lock; false also where the process has no name in the table yet.
    #[inline(always)]
    fn take_free(&self) -> bool {
        let me = self.place.holder_if_known();
        me != 0 && self.raw().take_free(me)
    }

    /// With the lock taken: hands out the value unless it is in doubt.
    #[inline(always)]
    fn checked(&self) -> Result<MutexGuard<'_, T>, MutexError> {
        if self.place.word(DOUBT).load(Relaxed) == 0 {
            return Ok(MutexGuard::new(self));
        }
        self.refuse()
    }

    #[cold]
    fn refuse(&self) -> Result<MutexGuard<'_, T>, MutexError> {
        let guard = MutexGuard::new(self);
        if self.is_in_doubt() { Err(MutexError::OwnerDied) } else { Ok(guard) }
    }

    /// With the lock held: makes a value of the bytes that somebody has left who was killed while it wrote them.
    fn make_a_value(&self) {
        if T::SHAPE.is_any() {
            return;
        }
        let mut bytes = vec![0; size_of::<T>()];
        let place = self.value().as_ptr().cast::<u8>();
        // SAFETY: `place` has so many bytes, and so has `bytes`, which is ours.
        unsafe { copy::copy_out(place, bytes.as_mut_ptr(), bytes.len()) };
        T::repair(&mut bytes);
        // SAFETY: As above; while the lock is held nobody else uses them.
        unsafe { copy::copy_in(bytes.as_ptr(), place, bytes.len()) };
    }

    /// Where the value stands.
    #[inline]
    fn value(&self) -> NonNull<T> {
        self.place.rest(Self::AT).cast()
    }
}

impl<T> Mutex<T> {
    #[inline]
    fn raw(&self) -> RawLock<'_, Place> {
        self.place.raw_lock()
    }

    /// True if this process has the lock: a forked child may have a copy of the guard, and not the lock.
    #[inline]
    fn is_held_here(&self) -> bool {
        let me = self.place.table().me_if_known();
        me != 0 && name_in(self.place.wide(LOCK).load(Relaxed)) == me
    }

    /// With the lock taken in a panic.
    #[cold]
    #[inline(never)]
    fn note_panic(&self) {
        let doubt = self.place.word(DOUBT);
        doubt.store(doubt.load(Relaxed) | IN_PANIC, Relaxed);
    }

    /// With the lock held, before it is given back: the value is in doubt if a panic has begun since it was taken.
    #[cold]
    #[inline(never)]
    fn judge_panic(&self) {
        let doubt = self.place.word(DOUBT);
        let flags = doubt.load(Relaxed);
        let has_begun = std::thread::panicking() && flags & IN_PANIC == 0;
        let in_doubt = if has_begun { IN_DOUBT } else { 0 };
        doubt.store(flags & !IN_PANIC | in_doubt, Relaxed);
    }

    #[inline(always)]
    fn release(&self) {
        if self.is_held_here() {
            if self.place.word(DOUBT).load(Relaxed) != 0 || std::thread::panicking() {
                self.judge_panic();
            }
            self.raw().release();
        }
    }
}

impl<T> Clone for Mutex<T> {
    fn clone(&self) -> Self {
        Self { place: self.place.clone(), value: PhantomData }
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let locked = self.place.wide(LOCK).load(Relaxed) != 0;
        let in_doubt = self.place.word(DOUBT).load(Relaxed) & IN_DOUBT != 0;
        f.debug_struct("Mutex")
            .field("locked", &locked)
            .field("in_doubt", &in_doubt)
            .finish_non_exhaustive()
    }
}

impl<T: Shareable> Serialize for Mutex<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.place, T::SHAPE.print()).serialize(serializer)
    }
}

impl<'de, T: Shareable> Deserialize<'de> for Mutex<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (place, print) = <(Place, u64)>::deserialize(deserializer)?;
        if print != T::SHAPE.print() {
            return Err(de::Error::custom(
                "a mutex of another type of value arrived: receive it as what was sent",
            ));
        }
        let place = place.check(Kind::Mutex, Self::SIZE, align_of::<T>())?;
        Ok(Self { place, value: PhantomData })
    }
}
