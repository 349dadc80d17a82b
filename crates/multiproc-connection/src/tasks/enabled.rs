//! The wakers of those who wait.
//!
//! **Invariant:** a forked child neither wakes nor drops a waker of its parent's: the runtime behind
//! it is one whose threads the child does not have, and whose locks may be held for ever.

use std::{mem, process, task::Waker};

/// Those who wait, each in a place of its own.
#[derive(Default)]
pub(crate) struct Tasks {
    waiting: Vec<(u64, Waker)>,
    /// Whose they are.
    process: u32,
    places: u64,
}

/// Where a task's waker stands, from its first wait on.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<u64>);

impl Tasks {
    /// Notes that the task of this waker waits.
    pub(crate) fn add(&mut self, place: &mut Place, waker: &Waker) {
        self.disown();
        let number = *place.0.get_or_insert_with(|| {
            self.places += 1;
            self.places
        });
        match self.waiting.iter_mut().find(|(at, _)| *at == number) {
            Some((_, known)) => known.clone_from(waker),
            None => self.waiting.push((number, waker.clone())),
        }
    }

    /// Forgets the task in this place, and hands its waker out to be dropped elsewhere.
    pub(crate) fn remove(&mut self, place: &Place) -> Option<Waker> {
        let number = place.0?;
        self.disown();
        let index = self.waiting.iter().position(|(at, _)| *at == number)?;
        Some(self.waiting.swap_remove(index).1)
    }

    /// Takes all who wait.
    pub(crate) fn take(&mut self) -> Self {
        if self.waiting.is_empty() {
            return Self::default();
        }
        self.disown();
        Self { waiting: mem::take(&mut self.waiting), ..Self::default() }
    }

    /// Wakes them.
    pub(crate) fn wake(mut self) {
        mem::take(&mut self.waiting).into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// In a forked child, lets go of the parent's tasks.
    fn disown(&mut self) {
        if self.process != process::id() {
            mem::forget(mem::take(&mut self.waiting));
            self.process = process::id();
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        if !self.waiting.is_empty() {
            self.disown();
        }
    }
}
