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
fn number() -> u32 {
    match NUMBER.get() {
        0 => assign(),
        number => number,
    }
}

#[cold]
#[inline(never)]
fn assign() -> u32 {
    let mut number = NEXT.fetch_add(1, Ordering::Relaxed);
    while number == 0 {
        number = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.set(number);
    number
}

/// The calling thread, of the process of the name `me`, as the word of a lock names its holder.
#[inline]
pub(crate) fn holder(me: u32) -> u64 {
    u64::from(me) | u64::from(number()) << 32
}
