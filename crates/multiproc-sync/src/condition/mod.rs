//! The condition.

use std::{
    fmt,
    time::{Duration, Instant},
};

use multiproc_sys::primitive::AtomicU32;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    Acquired, ConditionError, RLock, ReleaseError, SyncError,
    place::{Kind, Place},
    protocol::{
        condition::{Ended, Notifier, RawCondition, Slot},
        hint::Cores,
        lock::Stop,
        patience::Patience,
        world::World,
    },
};

mod guarding;

pub use guarding::{ConditionGuard, ConditionLock};

const BELL: usize = 0;
const FRONT: usize = 4;
const BACK: usize = 8;
const CORES: usize = 12;
const NOTIFIER: usize = 16;
const NOTIFIED: usize = 20;
/// On other cache lines than what changes while the owner of a slot looks at it.
const SLOTS: usize = LINE;
const LINE: usize = 64;
/// In a slot.
const STATE: usize = 0;
const WATCHED: usize = 4;
const CORE: usize = 8;
const SLOT: usize = 16;
/// How many can wait at once; a power of two, so that the numbers of the queue may wrap around.
const CAPACITY: u32 = 512;
const SIZE: usize = SLOTS + CAPACITY as usize * SLOT;

/// A lock, and waiting for somebody to say that what it guards has changed.
///
/// Whoever waits holds the lock, gives it back while it waits, and holds it again afterwards, in any case. So does whoever
/// notifies hold it. Up to 512 can wait at once. It takes about 8 KiB of shared memory and no descriptor. Clones are
/// handles to the same condition; so is what arrives when one is sent as an argument, in a message or as a field, and what
/// a forked child has.
///
/// # If a process dies
///
/// A waiter that is killed is not counted: [`notify`](Self::notify) passes it over, and if it was killed after it had been
/// notified and before it went on, another waiter is woken in its place. A notifier that is killed has notified those that
/// it got to. If the holder of the lock is killed, the next to get it is told, by
/// [`ConditionError::OwnerDied`] where that is a waiter. When nobody is left who could notify, a wait ends with
/// [`ConditionError::Abandoned`]. After a death a waiter may be woken once too often, so wait
/// [for](Self::wait_for) what you need to be so.
///
/// # Python
///
/// `multiprocessing.Condition`. There, a waiter that was killed makes every later `notify` wait for its answer.
///
/// # Examples
///
/// ```
/// use multiproc_sync::Condition;
///
/// let ready = Condition::new()?;
/// std::thread::scope(|scope| -> Result<(), Box<dyn std::error::Error>> {
///     let guard = ready.guard()?;
///     scope.spawn(|| {
///         let _guard = ready.guard().unwrap();
///         ready.notify(1).unwrap();
///     });
///     ready.wait()?;
///     drop(guard);
///     Ok(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Serialize)]
pub struct Condition {
    lock: ConditionLock,
    place: Place,
}

impl Condition {
    /// Makes a condition with a reentrant lock of its own.
    ///
    /// # Errors
    ///
    /// [`SyncError::Memory`], [`SyncError::Table`].
    pub fn new() -> Result<Self, SyncError> {
        Self::with_lock(RLock::new()?)
    }

    /// Makes a condition that uses a lock which others use too: a [`Lock`](crate::Lock) or an [`RLock`].
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_lock(lock: impl Into<ConditionLock>) -> Result<Self, SyncError> {
        Ok(Self { lock: lock.into(), place: Place::new(Kind::Condition, SIZE, LINE)? })
    }

    /// Waits until the lock is free, and takes it.
    ///
    /// # Errors
    ///
    /// As [`Lock::acquire`](crate::Lock::acquire).
    pub fn acquire(&self) -> Result<Acquired, SyncError> {
        self.approach();
        self.lock.acquire()
    }

    /// Takes the lock if it is free; none if it is not.
    ///
    /// # Errors
    ///
    /// As [`Lock::try_acquire`](crate::Lock::try_acquire).
    pub fn try_acquire(&self) -> Result<Option<Acquired>, SyncError> {
        self.lock.try_acquire()
    }

    /// Waits until the lock is free, for at most `timeout`, and takes it; none if it was not in that time.
    ///
    /// # Errors
    ///
    /// As [`Lock::acquire_timeout`](crate::Lock::acquire_timeout).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Option<Acquired>, SyncError> {
        self.lock.acquire_timeout(timeout)
    }

    /// Gives the lock back.
    ///
    /// # Errors
    ///
    /// As the lock's own `release`.
    pub fn release(&self) -> Result<(), ReleaseError> {
        self.lock.release()
    }

    /// Acquires the lock for as long as the returned guard lives.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Python
    ///
    /// `with condition:`.
    pub fn guard(&self) -> Result<ConditionGuard<'_>, SyncError> {
        self.approach();
        self.lock.guard()
    }

    /// Gives the lock back, waits to be notified, and takes the lock again.
    ///
    /// A signal whose handler returns does not end the wait.
    ///
    /// # Errors
    ///
    /// [`ConditionError::NotOwned`] if the calling thread does not hold the lock, and
    /// [`ConditionError::TooMany`] if 512 wait already: then nothing has happened. After any other error the lock is held
    /// again, unless that itself was not possible ([`ConditionError::Sync`]).
    pub fn wait(&self) -> Result<(), ConditionError> {
        self.wait_with(&mut Patience::endless()).map(|_| ())
    }

    /// Gives the lock back, waits for at most `timeout` to be notified, and takes the lock again; false if it was not
    /// notified in that time.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool, ConditionError> {
        self.wait_with(&mut Patience::for_at_most(timeout))
    }

    /// Waits until `predicate`, which is asked under the lock now and after every notification, is true.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// let condition = multiproc_sync::Condition::new()?;
    /// let guard = condition.guard()?;
    /// condition.wait_for(|| true)?;
    /// drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_for(&self, mut predicate: impl FnMut() -> bool) -> Result<(), ConditionError> {
        while !predicate() {
            self.wait()?;
        }
        Ok(())
    }

    /// Waits until `predicate` is true, for at most `timeout`; returns what it said last.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_for_timeout(
        &self,
        mut predicate: impl FnMut() -> bool,
        timeout: Duration,
    ) -> Result<bool, ConditionError> {
        let deadline = Instant::now().checked_add(timeout);
        while !predicate() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match left {
                Some(Duration::ZERO) => return Ok(false),
                Some(left) => {
                    let _ = self.wait_timeout(left)?;
                }
                None => self.wait()?,
            }
        }
        Ok(true)
    }

    /// Lets up to `count` of those who wait go, the first that came first, once they get the lock.
    ///
    /// Once 512 have come behind one that waits still, the order of the others is any.
    ///
    /// # Errors
    ///
    /// [`ConditionError::NotOwned`] if the calling thread does not hold the lock; [`ConditionError::Sync`].
    pub fn notify(&self, count: u32) -> Result<(), ConditionError> {
        if !self.lock.is_mine() {
            return Err(ConditionError::NotOwned);
        }
        let (place, lock) = self.lock.raw();
        let (name, holder) = (self.place.me().map_err(SyncError::from)?, place.holder_if_known());
        self.raw().notify(count, &Notifier { name, lock, holder });
        Ok(())
    }

    /// Lets all who wait go, once they get the lock.
    ///
    /// # Errors
    ///
    /// As [`notify`](Self::notify).
    pub fn notify_all(&self) -> Result<(), ConditionError> {
        self.notify(u32::MAX)
    }

    fn wait_with(&self, patience: &mut Patience) -> Result<bool, ConditionError> {
        if !self.lock.is_mine() {
            return Err(ConditionError::NotOwned);
        }
        let me = self.place.me().map_err(SyncError::from)?;
        let raw = self.raw();
        let bell = self.place.word(BELL);
        let owed = self.place.owe(bell);
        let slot = raw.enter(me).ok_or(ConditionError::TooMany)?;
        let nested = self.lock.release_all();
        let ended = raw.wait(&slot, patience);
        let notified = ended == Ended::Notified;
        let is_afar = || raw.cores.are_apart();
        let acquired = self.lock.take_again(nested, is_afar, || {
            if notified {
                raw.find_guard();
            }
        });
        if notified {
            raw.leave(&slot);
        }
        drop(owed);
        if acquired?.owner_died() {
            return Err(ConditionError::OwnerDied { notified });
        }
        match ended {
            Ended::Notified => Ok(true),
            Ended::Not(Stop::Over) => Ok(false),
            Ended::Not(Stop::Abandoned) => Err(ConditionError::Abandoned),
        }
    }

    /// Where the lock is held by one who may run on another core, and nobody sleeps for it, waits a while until it is free:
    /// others who use a condition give its lock back soon.
    fn approach(&self) {
        let (_, lock) = self.lock.raw();
        if lock.is_held() && !self.lock.is_mine() && self.raw().cores.are_apart() {
            lock.look_for_release();
        }
    }

    fn raw<'a>(&'a self) -> RawCondition<'a, Place, impl Fn(u32) -> Slot<'a, AtomicU32>> {
        let place = &self.place;
        RawCondition {
            world: place,
            bell: place.word(BELL),
            front: place.word(FRONT),
            back: place.word(BACK),
            last: [place.word(NOTIFIER), place.word(NOTIFIED)],
            cores: Cores { world: place, word: place.word(CORES) },
            slot: |index| {
                let start = SLOTS + (index % CAPACITY) as usize * SLOT;
                Slot {
                    state: place.word(start + STATE),
                    watched: place.word(start + WATCHED),
                    core: place.word(start + CORE),
                }
            },
            capacity: CAPACITY,
        }
    }
}

impl fmt::Debug for Condition {
    /// Shows the lock, and the number of those who wait.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.raw().waiting();
        f.debug_struct("Condition").field("lock", &self.lock).field("waiting", &waiting).finish()
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (lock, place) = <(ConditionLock, Place)>::deserialize(deserializer)?;
        Ok(Self { lock, place: place.check(Kind::Condition, SIZE, LINE)? })
    }
}
