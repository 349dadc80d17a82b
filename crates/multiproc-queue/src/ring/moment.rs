//! A moment on the clock that the kernel's waits go by.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Nanoseconds of the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

const SECOND: u64 = 1_000_000_000;

impl Moment {
    pub(crate) fn now() -> Self {
        let now = clock_gettime(ClockId::Monotonic);
        Self(now.tv_sec.cast_unsigned() * SECOND + now.tv_nsec.cast_unsigned())
    }

    /// So much later; none beyond what the clock can tell.
    pub(crate) fn after(self, duration: Duration) -> Option<Self> {
        let nanoseconds = u64::try_from(duration.as_nanos()).ok()?;
        // What the kernel takes is signed.
        self.0.checked_add(nanoseconds).filter(|sum| *sum <= i64::MAX as u64).map(Self)
    }

    /// How long it is until then; nothing if it has been.
    pub(super) fn left(self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(Self::now().0))
    }

    /// As the kernel takes it.
    pub(super) fn timespec(self) -> Timespec {
        Timespec {
            tv_sec: (self.0 / SECOND).cast_signed(),
            tv_nsec: (self.0 % SECOND).cast_signed(),
        }
    }
}
