//! How long a call waits.

use std::time::{Duration, Instant};

use multiproc_sys::poll;

/// How long a call waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// Not at all.
    None,
    /// Until that moment.
    Until(Instant),
    /// As long as it takes.
    Endless,
}

impl Patience {
    /// Waits for `timeout` from now; for ever where the clock cannot tell when that ends.
    pub(crate) fn lasting(timeout: Duration) -> Self {
        poll::deadline_after(timeout).map_or(Self::Endless, Self::Until)
    }

    /// The moment to give up at, for `poll`: none is never.
    pub(crate) fn deadline(self) -> Option<Instant> {
        match self {
            Self::None => Some(Instant::now()),
            Self::Until(deadline) => Some(deadline),
            Self::Endless => None,
        }
    }
}
