//! Cells behind a lock, of which one thread of all processes has references at a time.
//!
//! The lock beside the cells is the user's, who may give it back while somebody relies on it, and who may take it twice.
//! So there is a second one, which nobody else ever sees, and which is only tried: where the first one is used as it
//! should be, the second is always free. README.md has the whole argument.

#![expect(unsafe_code, reason = "hands out references to what a lock makes exclusive")]

use std::{marker::PhantomData, time::Duration};

use multiproc_image::{after_fork, lent::Lent};
use multiproc_shm::Shareable;
use multiproc_sync::{Lock, SyncError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{AccessError, Locking, cells::Cells, locking::give_back};

/// Cells, the lock beside them, and the lock that counts.
#[derive(Clone, Debug)]
pub(crate) struct Guarded<T, L> {
    // Invariant: of this kind of cells, which no raw handle has, the bytes are accessed only by who holds `data`.
    cells: Cells<T>,
    lock: L,
    // Invariant: no handle to it leaves this crate, and only `Held` takes it and gives it back.
    data: Lock,
}

impl<T: Shareable, L: Locking> Guarded<T, L> {
    pub(crate) fn new(cells: Cells<T>, lock: L) -> Result<Self, SyncError> {
        Ok(Self { cells, lock, data: Lock::new()? })
    }

    pub(crate) fn lock(&self) -> &L {
        &self.lock
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Waits for the lock, and has the cells.
    #[inline]
    pub(crate) fn hold(&self) -> Result<Held<'_, T, L>, AccessError> {
        let acquired = self.lock.acquire()?;
        self.begin(acquired.owner_died())
    }

    /// Has the cells if the lock is free; none if it is not.
    pub(crate) fn try_hold(&self) -> Result<Option<Held<'_, T, L>>, AccessError> {
        let acquired = self.lock.try_acquire()?;
        acquired.map(|acquired| self.begin(acquired.owner_died())).transpose()
    }

    /// Waits for the lock, for at most `timeout`, and has the cells; none if the time is over.
    pub(crate) fn hold_timeout(
        &self,
        timeout: Duration,
    ) -> Result<Option<Held<'_, T, L>>, AccessError> {
        let acquired = self.lock.acquire_timeout(timeout)?;
        acquired.map(|acquired| self.begin(acquired.owner_died())).transpose()
    }

    /// With the lock taken: has the cells, or gives it back.
    #[inline]
    fn begin(&self, owner_died: bool) -> Result<Held<'_, T, L>, AccessError> {
        let acquired = match self.data.try_acquire() {
            Ok(Some(acquired)) => acquired,
            other => {
                give_back(&self.lock);
                return Err(other.map_or_else(AccessError::from, |_| AccessError::InUse));
            }
        };
        if acquired.owner_died() {
            self.cells.repair();
        }
        Ok(Held {
            guarded: self,
            owner_died: owner_died || acquired.owner_died(),
            born: after_fork::generation(),
            lent: Lent::new(),
            on_this_thread: PhantomData,
        })
    }
}

/// The cells, and both locks, until this is dropped.
pub(crate) struct Held<'a, T: Shareable, L: Locking> {
    // Invariant: this thread holds the lock `data` of it, and has no other `Held` of it.
    guarded: &'a Guarded<T, L>,
    owner_died: bool,
    /// Which process took the locks; the child of a fork has a copy of this, and not the locks.
    born: u32,
    #[expect(dead_code, reason = "for its drop: until then this thread does not fork")]
    lent: Lent,
    on_this_thread: PhantomData<*const ()>,
}

impl<T: Shareable, L: Locking> Held<'_, T, L> {
    /// True if whoever had the lock or the cells before died with it.
    pub(crate) fn owner_died(&self) -> bool {
        self.owner_died
    }

    #[inline]
    pub(crate) fn items(&self) -> &[T] {
        // SAFETY: By the invariants of `guarded` and `data` nobody else accesses them while this lives, nor does who
        // has this, as `self` is borrowed. What a dead process left was repaired.
        unsafe { self.guarded.cells.slice() }
    }

    #[inline]
    pub(crate) fn items_mut(&mut self) -> &mut [T] {
        // SAFETY: As in `items`, and `self` is borrowed for writing.
        unsafe { self.guarded.cells.slice_mut() }
    }

    /// The cells, for copying values in and out.
    #[inline]
    pub(crate) fn cells(&self) -> &Cells<T> {
        &self.guarded.cells
    }
}

impl<T: Shareable, L: Locking> Drop for Held<'_, T, L> {
    #[inline]
    fn drop(&mut self) {
        if self.born != after_fork::generation() {
            return;
        }
        // The one that counts last taken, first given back.
        let released = self.guarded.data.release();
        debug_assert!(released.is_ok(), "a lock that nobody else knows is still held");
        give_back(&self.guarded.lock);
    }
}

/// Cells in a message, with their kind.
struct Tagged<C, const KIND: u64>(C);

impl<T: Shareable, const KIND: u64> Serialize for Tagged<&Cells<T>, KIND> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.send(KIND, serializer)
    }
}

impl<'de, T: Shareable, const KIND: u64> Deserialize<'de> for Tagged<Cells<T>, KIND> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cells::receive(KIND, None, deserializer).map(Self)
    }
}

impl<T: Shareable, L> Guarded<T, L> {
    /// Writes an object of this kind into a message.
    pub(crate) fn send<const KIND: u64, S: Serializer>(
        &self,
        serializer: S,
    ) -> Result<S::Ok, S::Error>
    where
        L: Serialize,
    {
        (Tagged::<_, KIND>(&self.cells), &self.lock, &self.data).serialize(serializer)
    }

    /// Takes an object of this kind out of a message.
    pub(crate) fn receive<'de, const KIND: u64, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Self, D::Error>
    where
        L: Deserialize<'de>,
    {
        let (Tagged::<Cells<T>, KIND>(cells), lock, data) = Deserialize::deserialize(deserializer)?;
        Ok(Self { cells, lock, data })
    }
}
