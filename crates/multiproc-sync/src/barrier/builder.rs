//! Describing a barrier.

use std::time::Duration;

use multiproc_image::{FnRef, Function};

use crate::{Barrier, SyncError};

/// What a barrier is to be.
///
/// # Python
///
/// The arguments of `multiprocessing.Barrier`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use multiproc_sync::Barrier;
///
/// let barrier = Barrier::builder(1)
///     .action(|| println!("all are here"))
///     .timeout(Duration::from_secs(60))
///     .build()?;
/// barrier.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a description is no barrier yet: `build` makes one"]
pub struct BarrierBuilder {
    parties: u32,
    action: Option<FnRef<(), ()>>,
    timeout: Option<Duration>,
}

impl BarrierBuilder {
    pub(super) fn new(parties: u32) -> Self {
        Self { parties, action: None, timeout: None }
    }

    /// Has the last party to come run `action`, a function or a closure that captures nothing, once a pass and before
    /// anybody is let go. If it panics, the barrier is broken.
    pub fn action<F>(self, action: F) -> Self
    where
        F: Function<(), Output = (), State = ()>,
    {
        Self { action: Some(FnRef::new(action)), ..self }
    }

    /// Has every [`Barrier::wait`] take no longer than this.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// Makes the barrier.
    ///
    /// # Errors
    ///
    /// As [`Barrier::new`].
    pub fn build(self) -> Result<Barrier, SyncError> {
        Barrier::with(self.parties, self.action, self.timeout)
    }
}
