//! Where something was done that others wait for: whether it may be quicker to look than to sleep.

use multiproc_sys::primitive::Ordering::Relaxed;

use super::world::{Atomic, World};

/// How often to look for something that another core is at.
pub(super) const LOOKS: usize = 2000;

/// Looks whether `is_over`, for a while, if whoever did it last did so on another core: then it may be quicker than sleep.
pub(crate) fn look_across<W: World>(
    world: &W,
    last: &W::Word,
    is_over: impl FnMut() -> bool,
) -> bool {
    let far = last.load(Relaxed);
    far != 0 && far != world.core() && look(world, is_over)
}

fn look<W: World>(world: &W, mut is_over: impl FnMut() -> bool) -> bool {
    (0..LOOKS).any(|_| is_over() || !world.relax()) && is_over()
}

/// Stores a hint, if it has changed: others may be reading it.
#[inline]
pub(super) fn note<W: Atomic<u32>>(word: &W, hint: u32) {
    if word.load(Relaxed) != hint {
        word.store(hint, Relaxed);
    }
}

/// Notes the core on which something was done that others wait for.
#[inline]
pub(crate) fn note_core<W: World>(world: &W, last: &W::Word) {
    note(last, world.core());
}

/// The cores of the two who had to do with each other last, in one word.
///
/// The one who notified somebody may be the next who waits, and then waits for the other.
pub(crate) struct Cores<'a, W: World> {
    pub(crate) world: &'a W,
    pub(crate) word: &'a W::Word,
}

const HALF: u32 = 16;
const LOW: u32 = (1 << HALF) - 1;

impl<W: World> Cores<'_, W> {
    /// Notes that this one, where it runs now, has notified one who runs on core `other`.
    pub(crate) fn note(&self, other: u32) {
        note(self.word, (self.world.core() & LOW) | (other << HALF));
    }

    /// True if one of the two ran on another core than this.
    pub(crate) fn are_apart(&self) -> bool {
        let both = self.word.load(Relaxed);
        let here = self.world.core();
        let is_far = |core| core != 0 && core != here;
        is_far(both & LOW) || is_far(both >> HALF)
    }

    /// Looks whether `is_over`, for a while, if it may come from another core.
    pub(crate) fn look_across(&self, is_over: impl FnMut() -> bool) -> bool {
        self.are_apart() && look(self.world, is_over)
    }
}
