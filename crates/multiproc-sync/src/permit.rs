//! A permit of a semaphore, held for a scope.

use crate::Semaphore;

/// A permit, given back when this is dropped.
///
/// # If a process dies
///
/// The permit is not given back.
#[derive(Debug)]
#[must_use = "the permit is given back when the guard is dropped"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    /// A forked child has a copy of the guard, and no permit.
    process: u32,
}

impl<'a> Permit<'a> {
    pub(crate) fn new(semaphore: &'a Semaphore) -> Self {
        Self { semaphore, process: std::process::id() }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            // False where others have given more than was taken: there is nothing left to give.
            self.semaphore.give();
        }
    }
}
