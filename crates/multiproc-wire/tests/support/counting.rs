//! An allocator that counts what each thread holds; for a test binary that is about memory.
#![expect(unsafe_code, reason = "an allocator that counts is an unsafe trait")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    LIVE.set(LIVE.get() + bytes);
    PEAK.set(PEAK.get().max(LIVE.get()));
    CALLS.set(CALLS.get() + usize::from(0 < bytes));
}

// SAFETY: Every call goes on to `System`, whose blocks and promises these are. Counting touches
// constant-initialised thread locals without destructors, which neither allocate nor unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: The caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: The block came from `System`, by way of `alloc`, with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Runs `f`; returns how far above the present it drove the memory of this thread, in bytes, and how often it allocated.
pub(crate) fn measure<R>(f: impl FnOnce() -> R) -> (isize, usize) {
    let (live, calls) = (LIVE.get(), CALLS.get());
    PEAK.set(live);
    drop(f());
    (PEAK.get() - live, CALLS.get() - calls)
}
