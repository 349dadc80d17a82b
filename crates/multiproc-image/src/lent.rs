//! Shared data that a thread has to itself: while it does, it must not fork.
//!
//! A forked child has a copy of all that its thread had, so also of a `&mut` to memory that both still share. Nobody
//! could tell the two apart afterwards; so the fork is refused.

use std::{cell::Cell, marker::PhantomData};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Says that the calling thread has references to shared data, until this is dropped; it stays on its thread.
///
/// # Examples
///
/// ```
/// use multiproc_image::lent::{self, Lent};
///
/// let lent = Lent::new();
/// assert!(lent::is_any());
/// drop(lent);
/// assert!(!lent::is_any());
/// ```
#[derive(Debug)]
#[must_use = "the data count as lent until this is dropped"]
pub struct Lent(PhantomData<*const ()>);

impl Lent {
    /// Begins to say so.
    #[inline]
    #[expect(clippy::new_without_default, reason = "it is an act, not a value")]
    pub fn new() -> Self {
        COUNT.set(COUNT.get() + 1);
        Self(PhantomData)
    }
}

impl Drop for Lent {
    #[inline]
    fn drop(&mut self) {
        COUNT.set(COUNT.get() - 1);
    }
}

/// Returns true if the calling thread has references to shared data, so that it must not fork.
#[must_use]
pub fn is_any() -> bool {
    COUNT.get() != 0
}
