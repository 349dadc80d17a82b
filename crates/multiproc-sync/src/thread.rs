//! Telling the threads of a process apart.

use std::cell::Cell;

use multiproc_sys::primitive::{AtomicU32, Ordering};

/// Numbers are never used again, as thread ids are.
static NEXT: AtomicU32 = AtomicU32::new(1);

thread_local! {
    static NUMBER: Cell<u32> = const { Cell::new(0) };
}

/// The number of the calling thread in this process, which is never 0.
#[inline]
pub(crate) fn number() -> u32 {
    match NUMBER.get() {
        0 => assign(),
        number => number,
    }
}

#[cold]
fn assign() -> u32 {
    let mut number = NEXT.fetch_add(1, Ordering::Relaxed);
    while number == 0 {
        number = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.set(number);
    number
}

/// What tells the calling thread, of the process of the name `me`, from all threads of all processes that hold or held
/// the same lock, dead ones too.
#[inline]
pub(crate) fn mark(me: u32) -> u32 {
    me.wrapping_mul(0x9E37_79B1) ^ number()
}
