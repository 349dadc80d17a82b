//! A buffer of each thread for the bytes of the item that it puts or has taken.

use std::cell::Cell;

/// A buffer that has grown beyond this is not kept.
const MOST_KEPT: usize = 64 * 1024;

thread_local! {
    static KEPT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A buffer that has been used before, or an empty one where it is in use: an item may put others while it is encoded.
#[inline]
pub(crate) fn take() -> Vec<u8> {
    KEPT.try_with(Cell::take).unwrap_or_default()
}

/// Keeps a buffer for the next item.
#[inline]
pub(crate) fn give(buffer: Vec<u8>) {
    if buffer.capacity() <= MOST_KEPT {
        // Where the thread is ending, it is dropped.
        let _ = KEPT.try_with(|kept| kept.set(buffer));
    }
}
