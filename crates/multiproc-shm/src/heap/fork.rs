//! The heap and forks.
//!
//! A forked child shares the descriptions of its parent, so what one of them lets go the other would lose too. Therefore
//! the parent opens each segment once more before the fork and holds there what it holds itself; the child takes these
//! descriptions as its own, and the parent closes its descriptors of them. The lock over the heap is held meanwhile, so
//! that what the child's memory says is what its descriptions hold.

use std::{
    cell::Cell,
    mem::ManuallyDrop,
    sync::{Mutex, MutexGuard},
};

use multiproc_image::after_fork::{self, Around, Prepared};

use super::{
    attachment::Attachment,
    table::{HEAP, Heap, lock},
};

/// What the forking thread keeps from before the fork until after it.
struct Forking {
    heap: MutexGuard<'static, Heap>,
    /// The same heap, for the child.
    child: Prepared<&'static Mutex<Heap>>,
}

thread_local! {
    // Without a destructor, because registering one costs a forked child many pages.
    static FORKING: Cell<Option<ManuallyDrop<Forking>>> = const { Cell::new(None) };
}

/// Sees to it that forks are noticed.
pub(super) fn watch() {
    static AROUND: Around = Around { before, in_parent, in_child };
    after_fork::register_around(&AROUND);
}

fn before() {
    let mut heap = lock();
    heap.segments.values_mut().for_each(Attachment::make_twin);
    let forking = Forking { heap, child: HEAP.prepare(HEAP.get()) };
    FORKING.set(Some(ManuallyDrop::new(forking)));
}

fn in_parent() {
    let Some(forking) = FORKING.take() else { return };
    let mut forking = ManuallyDrop::into_inner(forking);
    forking.heap.segments.values_mut().for_each(Attachment::drop_twin);
}

fn in_child() {
    // Without what `before` does the heap may be locked for ever, and this process begins with another.
    let Some(forking) = FORKING.take() else { return };
    let Forking { mut heap, child } = ManuallyDrop::into_inner(forking);
    HEAP.adopt(child);
    heap.inherit();
}
