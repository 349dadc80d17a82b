//! The wakers of those who wait.

use std::{mem, task::Waker};

use multiproc_sys::primitive::{AtomicU64, Ordering};

/// Those who wait, each in a place of its own.
#[derive(Default)]
pub(crate) struct Tasks {
    waiting: Vec<(u64, Waker)>,
}

/// Where a task's waker stands, from its first wait on.
///
/// No two have the same number, also where a forked child has copies of its parent's tasks.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<u64>);

/// How many places there were so far.
static PLACES: AtomicU64 = AtomicU64::new(0);

impl Tasks {
    /// Notes that the task of this waker waits, and hands out the one it had before, to be dropped
    /// elsewhere.
    #[must_use = "whoever drops a waker runs somebody else's code"]
    pub(crate) fn add(&mut self, place: &mut Place, waker: Waker) -> Option<Waker> {
        let number = *place.0.get_or_insert_with(|| PLACES.fetch_add(1, Ordering::Relaxed));
        match self.waiting.iter_mut().find(|(at, _)| *at == number) {
            Some((_, known)) => Some(mem::replace(known, waker)),
            None => {
                self.waiting.push((number, waker));
                None
            }
        }
    }

    /// Forgets the task in this place, and hands its waker out to be dropped elsewhere.
    #[must_use = "whoever drops a waker runs somebody else's code"]
    pub(crate) fn remove(&mut self, place: &Place) -> Option<Waker> {
        let number = place.0?;
        let index = self.waiting.iter().position(|(at, _)| *at == number)?;
        Some(self.waiting.swap_remove(index).1)
    }

    /// Takes all who wait.
    pub(crate) fn take(&mut self) -> Self {
        mem::take(self)
    }

    /// Wakes them.
    pub(crate) fn wake(self) {
        self.waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }
}
