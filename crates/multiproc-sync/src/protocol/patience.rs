//! How long to wait, and how long at a stretch.

use std::time::{Duration, Instant};

use multiproc_sys::switch::{Feature, without};

/// Nothing but a death at the worst of moments, or an old kernel, makes a sleeper depend on these.
const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(2);
/// Of tests that want to see what hangs.
const NEVER: Duration = Duration::from_secs(1 << 20);
/// Where nobody says that a process has ended.
const FIRST_OFTEN: Duration = Duration::from_millis(1);
const LONGEST_OFTEN: Duration = Duration::from_millis(10);

/// A deadline, and the slices of the way there: at the end of each one looks around.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    pub(crate) deadline: Option<Instant>,
    slice: Duration,
    often: Duration,
}

impl Patience {
    /// For ever.
    pub(crate) fn endless() -> Self {
        Self::until(None)
    }

    /// For this long; what is beyond the clock is for ever.
    pub(crate) fn for_at_most(timeout: Duration) -> Self {
        Self::until(multiproc_sys::poll::deadline_after(timeout))
    }

    fn until(deadline: Option<Instant>) -> Self {
        Self { deadline, slice: FIRST, often: FIRST_OFTEN }
    }

    /// When the next slice ends, and whether that is the deadline.
    pub(crate) fn next(&self, often: bool) -> (Instant, bool) {
        let slice = match often {
            true => self.often,
            false if without(Feature::Slices) => NEVER,
            false => self.slice,
        };
        let end = Instant::now() + slice;
        match self.deadline {
            Some(deadline) if deadline <= end => (deadline, true),
            _ => (end, false),
        }
    }

    /// True if nothing but others can end the wait.
    pub(crate) fn is_endless(&self) -> bool {
        self.deadline.is_none()
    }

    /// True once the deadline has passed.
    pub(crate) fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// The last slice was slept through.
    pub(crate) fn lengthen(&mut self, often: bool) {
        if often {
            self.often = (self.often * 2).min(LONGEST_OFTEN);
        } else {
            self.slice = (self.slice * 2).min(LONGEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_grow_and_the_deadline_is_the_last() {
        let mut patience = Patience::for_at_most(Duration::from_secs(1));
        let ends: Vec<bool> = (0..8)
            .map(|_| {
                patience.lengthen(false);
                patience.next(false).1
            })
            .collect();
        assert_eq!(ends, [false, false, false, false, false, true, true, true]);
        assert_eq!(patience.slice, LONGEST);
        assert!(!Patience::for_at_most(Duration::MAX).next(true).1);
    }
}
