//! How long a call waits.

use std::time::Duration;

use multiproc_sys::primitive::Ordering::SeqCst;

use super::{layout::State, moment::Moment, world::Atomic};

/// How long a call waits for room or for an item.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// Not at all.
    None,
    /// Until then.
    Until(Moment),
    /// As long as it takes.
    Endless,
}

impl Patience {
    /// As long as `timeout`, or for ever where that is beyond what the clock can tell.
    pub(crate) fn of(timeout: Duration) -> Self {
        Moment::now().after(timeout).map_or(Self::Endless, Self::Until)
    }

    /// How much longer; none if as long as it takes.
    pub(crate) fn left(self) -> Option<Duration> {
        match self {
            Self::None => Some(Duration::ZERO),
            Self::Until(deadline) => Some(deadline.left()),
            Self::Endless => None,
        }
    }

    pub(super) fn is_over(self) -> bool {
        match self {
            Self::None => true,
            Self::Until(deadline) => deadline <= Moment::now(),
            Self::Endless => false,
        }
    }
}

/// The first and the longest time that anybody sleeps without looking again by himself.
///
/// It is the second line of defence: where the kernel wakes nobody, and for what nobody is woken for.
const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(500);

/// The slices that a wait is cut into.
#[derive(Debug)]
pub(super) struct Slices {
    length: Duration,
    end: Moment,
}

/// How long the first slice of a wait is.
#[cfg(not(test))]
fn first() -> Duration {
    FIRST
}

/// A test whose threads must be woken does without the second line of defence.
#[cfg(test)]
fn first() -> Duration {
    if super::tests::WITHOUT_SLICES.get() { Duration::from_secs(1000) } else { FIRST }
}

impl Slices {
    pub(super) fn new() -> Self {
        let (length, now) = (first(), Moment::now());
        Self { length, end: now.after(length).unwrap_or(now) }
    }

    /// When the present slice ends, or the patience if that is earlier.
    pub(super) fn end(&self, patience: Patience) -> Moment {
        match patience {
            Patience::Until(deadline) => self.end.min(deadline),
            _ => self.end,
        }
    }

    /// If the present slice is over, begins the next one, twice as long.
    pub(super) fn next(&mut self) -> bool {
        let now = Moment::now();
        if now < self.end {
            return false;
        }
        self.length = (self.length * 2).min(LONGEST);
        self.end = now.after(self.length).unwrap_or(now);
        true
    }
}

/// One call's waiting: its patience, and where it stands in its slices.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(super) patience: Patience,
    /// True if the caller has looked for a while already.
    pub(super) has_lingered: bool,
    slices: Option<Slices>,
    /// The number of departures of which this call knows.
    departures: Option<u32>,
}

impl Waiting {
    #[inline]
    pub(crate) fn new(patience: Patience) -> Self {
        Self { patience, has_lingered: false, slices: None, departures: None }
    }

    /// Of a call that has looked for a while already.
    pub(crate) fn lingered(patience: Patience) -> Self {
        Self { has_lingered: true, ..Self::new(patience) }
    }

    pub(super) fn departures(&mut self, state: &State<impl Atomic<u32>>) -> &mut u32 {
        self.departures.get_or_insert_with(|| state.departures.load(SeqCst))
    }

    /// True if somebody has let go of the queue since this was last asked.
    pub(super) fn has_departed(&mut self, state: &State<impl Atomic<u32>>) -> bool {
        let now = state.departures.load(SeqCst);
        std::mem::replace(self.departures(state), now) != now
    }

    pub(super) fn slices(&mut self) -> &mut Slices {
        self.slices.get_or_insert_with(Slices::new)
    }
}
