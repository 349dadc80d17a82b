//! Which core this thread runs on, to know whether spinning can help.

#![expect(unsafe_code, reason = "one call of the C library")]

use std::hint::spin_loop;

use multiproc_sys::primitive::Ordering::Relaxed;

use super::world::{Atomic, World};

/// How often a leader looks before it sleeps, if the other side runs elsewhere.
const SPINS: u32 = 2000;
/// Every so many looks it sees whether the other side still does.
const BETWEEN: u32 = 32;
/// With every so many records a side sees where it is.
const NOTED: u32 = 16;

/// The core's number plus one, or 0 where it is not known.
#[inline]
pub(super) fn current() -> u32 {
    // SAFETY: Reads a number.
    unsafe { libc::sched_getcpu() }.wrapping_add(1).cast_unsigned()
}

/// Notes on which core a side was last at work, with the record of this number.
#[inline]
pub(super) fn note<W: World>(world: &W, cpu: &W::Word, number: u32) {
    // To ask takes longer than to take the lock, and processes seldom move.
    if number.is_multiple_of(NOTED) {
        note_now(world, cpu);
    }
}

#[inline(never)]
fn note_now<W: World>(world: &W, cpu: &W::Word) {
    let here = world.core();
    if cpu.load(Relaxed) != here {
        cpu.store(here, Relaxed);
    }
}

/// True if the other side was last at work on another core than this one.
#[inline]
pub(super) fn is_elsewhere<W: World>(world: &W, peer: &W::Word) -> bool {
    let there = peer.load(Relaxed);
    there != 0 && there != world.core()
}

/// Looks again and again while the other side is at work on another core; true as soon as a look succeeds.
///
/// First lets it be for a number of pauses: each look takes the line away from who is writing to it.
pub(super) fn spin<W: World>(
    world: &W,
    peer: &W::Word,
    calm: u32,
    mut look: impl FnMut() -> bool,
) -> bool {
    if !is_elsewhere(world, peer) {
        return false;
    }
    (0..calm).for_each(|_| spin_loop());
    for turn in 1..=SPINS {
        if look() {
            return true;
        }
        if turn % BETWEEN == 0 && !is_elsewhere(world, peer) {
            return false;
        }
        spin_loop();
    }
    false
}
