//! The event.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    SyncError,
    place::{Kind, Place},
    protocol::{event::RawEvent, lock::Stop, patience::Patience},
};

const STATE: usize = 0;
const BELL: usize = 4;
const CORE: usize = 8;
const SIZE: usize = 12;

/// A flag that processes set, clear, and wait for.
///
/// A new one is not set. It takes 16 bytes of shared memory and no descriptor. Clones are handles to the same event; so is
/// what arrives when one is sent as an argument, in a message or as a field, and what a forked child has.
///
/// # If a process dies
///
/// Setting is one store: killed at it, a process has set the event or has not, and if it has, all who wait are woken. A
/// waiter that is killed disturbs nobody. When nobody is left who could set it, a wait ends with
/// [`SyncError::Abandoned`].
///
/// # Python
///
/// `multiprocessing.Event`. A wait that begins before a [`set`](Self::set) always sees it, also where a
/// [`clear`](Self::clear) follows at once; in Python it may miss it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use multiproc_sync::Event;
///
/// let event = Event::new()?;
/// assert!(!event.wait_timeout(Duration::ZERO)?);
/// event.set();
/// event.wait()?;
/// event.clear();
/// assert!(!event.is_set());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Event {
    place: Place,
}

impl Event {
    /// Makes an event that is not set.
    ///
    /// # Errors
    ///
    /// [`SyncError::Memory`], [`SyncError::Table`].
    pub fn new() -> Result<Self, SyncError> {
        Ok(Self { place: Place::new(Kind::Event, SIZE, 1)? })
    }

    /// Returns true if the event is set.
    #[must_use]
    #[doc(alias = "isSet")]
    pub fn is_set(&self) -> bool {
        self.raw().is_set()
    }

    /// Sets the event, and wakes all who wait for it.
    pub fn set(&self) {
        self.raw().set();
    }

    /// Makes the event unset again.
    pub fn clear(&self) {
        self.raw().clear();
    }

    /// Waits until the event is set, or has been since the wait began.
    ///
    /// A signal whose handler returns does not end the wait.
    ///
    /// # Errors
    ///
    /// [`SyncError::Abandoned`] if nobody is left who could set it; [`SyncError::Table`].
    pub fn wait(&self) -> Result<(), SyncError> {
        self.wait_with(&mut Patience::endless()).map(|_| ())
    }

    /// Waits until the event is set, or has been since the wait began, for at most `timeout`; false if it was not.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool, SyncError> {
        self.wait_with(&mut Patience::for_at_most(timeout))
    }

    fn wait_with(&self, patience: &mut Patience) -> Result<bool, SyncError> {
        if self.is_set() {
            return Ok(true);
        }
        // An entry, so that the kernel's watch over this process is made sure of before it sleeps.
        self.place.me()?;
        match self.raw().wait(patience) {
            Ok(()) => Ok(true),
            Err(Stop::Over) => Ok(false),
            Err(Stop::Abandoned) => Err(SyncError::Abandoned),
        }
    }

    fn raw(&self) -> RawEvent<'_, Place> {
        let place = &self.place;
        RawEvent {
            world: place,
            state: place.word(STATE),
            bell: place.word(BELL),
            core: place.word(CORE),
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("is_set", &self.is_set()).finish()
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.place.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { place: Place::deserialize(deserializer)?.check(Kind::Event, SIZE, 1)? })
    }
}
