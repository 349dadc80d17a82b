//! Descriptors that belong to this process alone, and that a forked child of it must not keep.
//!
//! The other ends tell by the end of the stream that this process has ended, so no child may hold a copy for longer. They
//! are kept as numbers, because a forked child closes them without a lock.

#![expect(unsafe_code, reason = "descriptors as numbers")]

use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use multiproc_image::after_fork;
use multiproc_sys::primitive::{AtomicI32, Ordering};

const NONE: RawFd = -1;

/// A place for one descriptor.
#[derive(Debug)]
pub(crate) struct Held(
    // Invariant: NONE or a descriptor that this place owns.
    AtomicI32,
);

/// The socket to the process that started this one.
pub(crate) static SOCKET: Held = Held(AtomicI32::new(NONE));
/// Where there are no pidfds: a pipe whose other end shows that this process lives.
pub(crate) static SENTINEL: Held = Held(AtomicI32::new(NONE));

/// Sees to it that forks are noticed; done before one, so that the child need not.
pub(crate) fn prepare() {
    after_fork::register(close_all);
}

impl Held {
    /// Keeps `fd` until the process ends; what was there is closed.
    pub(crate) fn keep(&self, fd: OwnedFd) {
        prepare();
        drop(self.swap(fd.into_raw_fd()));
    }

    pub(crate) fn get(&self) -> Option<BorrowedFd<'static>> {
        let fd = self.0.load(Ordering::Acquire);
        // SAFETY: By the invariant it is open; it is closed only in the child of a fork, by the only thread there, and
        // replaced only while a process comes to life.
        (fd != NONE).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
    }

    fn swap(&self, fd: RawFd) -> Option<OwnedFd> {
        let old = self.0.swap(fd, Ordering::AcqRel);
        // SAFETY: By the invariant it is ours, and it has just been taken out.
        (old != NONE).then(|| unsafe { OwnedFd::from_raw_fd(old) })
    }
}

fn close_all() {
    for held in [&SOCKET, &SENTINEL] {
        drop(held.swap(NONE));
    }
}
