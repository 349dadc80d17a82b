//! The barrier.

use std::{fmt, time::Duration};

use multiproc_image::FnRef;
use multiproc_sys::primitive::{AtomicU64, Ordering};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    BarrierError, SyncError,
    place::{Kind, Place},
    protocol::{
        barrier::{FIRST, Fault, RawBarrier},
        patience::Patience,
    },
};

mod builder;

pub use builder::BarrierBuilder;

const STATE: usize = 0;
const BELL: usize = 8;
const PARTIES: usize = 12;
const SLOTS: usize = 16;

/// A point that a number of parties, threads of any processes, pass only together.
///
/// It takes 8 bytes of shared memory a party and 16 more, and no descriptor. Clones are handles to the same barrier; so is
/// what arrives when one is sent as an argument, in a message or as a field, and what a forked child has.
///
/// # If a process dies
///
/// When a party is killed while it waits, the others that wait get [`BarrierError::Abandoned`] within milliseconds, and so
/// does who comes later, until the barrier is [`reset`](Self::reset). One killed before it came is not known to be missing:
/// only when no other process has a handle any more does a wait end, in the same way.
///
/// # Python
///
/// `multiprocessing.Barrier`. There, a party that was killed while it waited is counted on.
///
/// # Examples
///
/// ```
/// use multiproc_sync::Barrier;
///
/// let barrier = Barrier::new(2)?;
/// std::thread::scope(|scope| -> Result<(), Box<dyn std::error::Error>> {
///     let other = scope.spawn(|| barrier.wait());
///     let mut indices = [barrier.wait()?, other.join().unwrap()?];
///     indices.sort();
///     assert_eq!(indices, [0, 1]);
///     Ok(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Barrier {
    place: Place,
    // Invariant: there are slots for as many.
    parties: u32,
    action: Option<FnRef<(), ()>>,
    timeout: Option<Duration>,
}

impl Barrier {
    /// Makes a barrier for this many parties.
    ///
    /// # Errors
    ///
    /// [`SyncError::Number`] if `parties` is 0, where Python's threads raise `ValueError`; [`SyncError::TooLarge`],
    /// [`SyncError::Memory`], [`SyncError::Table`].
    pub fn new(parties: u32) -> Result<Self, SyncError> {
        Self::builder(parties).build()
    }

    /// Begins to describe a barrier for this many parties.
    pub fn builder(parties: u32) -> BarrierBuilder {
        BarrierBuilder::new(parties)
    }

    fn with(
        parties: u32,
        action: Option<FnRef<(), ()>>,
        timeout: Option<Duration>,
    ) -> Result<Self, SyncError> {
        if parties == 0 {
            let wanted = "at least 1";
            return Err(SyncError::Number { what: "a number of parties", number: 0, wanted });
        }
        let place = Place::new(Kind::Barrier, size(parties), 1)?;
        place.word(PARTIES).store(parties, Ordering::Relaxed);
        place.wide(STATE).store(FIRST, Ordering::Release);
        Ok(Self { place, parties, action, timeout })
    }

    /// Waits until all parties have come, and returns which of them this was: 0 for the first to come.
    ///
    /// It waits for at most the time that the builder was given, if any.
    ///
    /// # Errors
    ///
    /// [`BarrierError::Broken`] if the barrier is or gets broken; [`BarrierError::Abandoned`],
    /// [`BarrierError::Sync`].
    pub fn wait(&self) -> Result<u32, BarrierError> {
        match self.timeout {
            Some(timeout) => self.wait_timeout(timeout),
            None => self.wait_with(&mut Patience::endless()),
        }
    }

    /// Waits until all parties have come, for at most `timeout`; if they have not by then, the barrier is broken.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait); [`BarrierError::Broken`] also after the time.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<u32, BarrierError> {
        self.wait_with(&mut Patience::for_at_most(timeout))
    }

    fn wait_with(&self, patience: &mut Patience) -> Result<u32, BarrierError> {
        let me = self.place.me().map_err(SyncError::from)?;
        let action = || {
            if let Some(action) = &self.action {
                action.call(());
            }
        };
        Ok(self.raw().wait(me, patience, action)?)
    }

    /// Makes the barrier as new: those who wait get [`BarrierError::Broken`], those who come later wait again.
    pub fn reset(&self) {
        self.raw().reset();
    }

    /// Breaks the barrier: those who wait, and those who come until it is [`reset`](Self::reset), get
    /// [`BarrierError::Broken`].
    pub fn abort(&self) {
        self.raw().abort();
    }

    /// The number of parties that pass together.
    #[must_use]
    pub fn parties(&self) -> u32 {
        self.parties
    }

    /// The number of parties that wait at this moment.
    #[must_use]
    pub fn n_waiting(&self) -> u32 {
        self.raw().waiting()
    }

    /// Returns true if the barrier is broken, until it is [`reset`](Self::reset).
    #[must_use]
    pub fn broken(&self) -> bool {
        self.raw().is_broken()
    }

    fn raw<'a>(&'a self) -> RawBarrier<'a, Place, impl Fn(u32) -> &'a AtomicU64> {
        let place = &self.place;
        RawBarrier {
            world: place,
            state: place.wide(STATE),
            bell: place.word(BELL),
            slot: |index| place.wide(SLOTS + index as usize * size_of::<u64>()),
            parties: self.parties,
        }
    }
}

fn size(parties: u32) -> usize {
    SLOTS.saturating_add((parties as usize).saturating_mul(size_of::<u64>()))
}

impl From<Fault> for BarrierError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Broken => Self::Broken,
            Fault::Abandoned => Self::Abandoned,
        }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("waiting", &self.n_waiting())
            .field("parties", &self.parties)
            .field("broken", &self.broken())
            .finish_non_exhaustive()
    }
}

/// A barrier in a message.
#[derive(Serialize, Deserialize)]
struct Sent<P> {
    place: P,
    action: Option<FnRef<(), ()>>,
    timeout: Option<Duration>,
}

impl Serialize for Barrier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { place, action, timeout, .. } = self;
        Sent { place, action: *action, timeout: *timeout }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Barrier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Sent::<Place> { place, action, timeout } = Sent::deserialize(deserializer)?;
        let place = place.check(Kind::Barrier, SLOTS, 1)?;
        let parties = place.word(PARTIES).load(Ordering::Relaxed);
        if parties == 0 {
            return Err(de::Error::custom("what arrived is not the memory of a barrier"));
        }
        Ok(Self { place: place.check(Kind::Barrier, size(parties), 1)?, parties, action, timeout })
    }
}
