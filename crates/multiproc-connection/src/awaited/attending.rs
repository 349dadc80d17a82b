//! Telling a fork that a task is about to go on with what nobody holds.

use std::ptr;

use multiproc_sys::primitive::Ordering;

use crate::turn::{Lock, Turn};

/// A task that has made an attempt, and will make another.
///
/// It holds nothing in between, so the lock alone would tell a forked child that what is within is
/// nobody's.
pub(crate) struct Attending<'a, T: Send> {
    turn: &'a Turn<T>,
    lock: &'a Lock<T>,
}

impl<'a, T: Send> Attending<'a, T> {
    /// Attends from now on. A fork sees it for sure if whoever calls this has the turn.
    pub(crate) fn new(turn: &'a Turn<T>) -> Self {
        let lock = turn.lock();
        lock.attending.fetch_add(1, Ordering::AcqRel);
        Self { turn, lock }
    }

    /// Returns false in the child of a fork, which has but a copy of its parent's task.
    pub(crate) fn is_ours(&self) -> bool {
        ptr::eq(self.lock, self.turn.lock())
    }
}

impl<T: Send> Drop for Attending<'_, T> {
    fn drop(&mut self) {
        // What the child of a fork becomes heir to does not depend on when this copy goes.
        if self.is_ours() {
            self.lock.attending.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
