//! A fence between two processes of which the one that seldom needs it pays for both.
//!
//! Two sides write a word each and then read the other's; a fence between the two on both sides makes at least one of
//! them see what the other has written. Where one side does that all the time and the other now and then, the first
//! one's fence can be left out (`compiler_fence`), if the other has the kernel run one on every core that is at work for
//! a registered process: `membarrier(2)`.

use rustix::thread::{MembarrierCommand, membarrier};

use crate::{
    primitive::{Ordering::SeqCst, fence},
    switch::{Feature, without},
};

/// Has the [`heavy`] fences of other processes reach the threads of this one; false where they cannot. Asked once by each
/// process, best while it has one thread.
#[must_use]
pub fn register() -> bool {
    !without(Feature::Membarrier) && membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok()
}

/// A fence here, and in every thread of every registered process; false if it is one here only.
#[must_use]
pub fn heavy() -> bool {
    fence(SeqCst);
    !without(Feature::Membarrier) && membarrier(MembarrierCommand::GlobalExpedited).is_ok()
}
