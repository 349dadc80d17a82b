//! Descriptors that a process has from its birth until its end.
//!
//! They are kept as numbers, without a lock, so that a forked child finds them usable whatever another thread was doing.
//! Three of them belong to one process alone: the other ends tell by the end of the stream that it has ended, so a forked
//! child closes its copies. The fourth, the way to the fork server, is inherited.

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

/// In the fork server: its end of the request socket.
pub(crate) static REQUESTS: Held = Held(AtomicI32::new(NONE));
/// Our end of the request socket of the fork server; changed only while a process is being started, one at a time.
pub(crate) static FORKSERVER: Held = Held(AtomicI32::new(NONE));

impl Held {
    /// Keeps `fd` until the process ends; what was there is closed.
    pub(crate) fn keep(&self, fd: OwnedFd) -> BorrowedFd<'static> {
        prepare();
        let number = fd.into_raw_fd();
        drop(self.swap(number));
        // SAFETY: As for `get`.
        unsafe { BorrowedFd::borrow_raw(number) }
    }

    pub(crate) fn get(&self) -> Option<BorrowedFd<'static>> {
        let fd = self.0.load(Ordering::Acquire);
        // SAFETY: By the invariant it is open. It is closed only in the child of a fork, by the only thread there, or
        // replaced while a process comes to life or under the lock that those who use it hold.
        (fd != NONE).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
    }

    /// Closes it.
    pub(crate) fn close(&self) {
        drop(self.swap(NONE));
    }

    fn swap(&self, fd: RawFd) -> Option<OwnedFd> {
        let old = self.0.swap(fd, Ordering::AcqRel);
        // SAFETY: By the invariant it is ours, and it has just been taken out.
        (old != NONE).then(|| unsafe { OwnedFd::from_raw_fd(old) })
    }
}

fn close_all() {
    for held in [&SOCKET, &SENTINEL, &REQUESTS] {
        held.close();
    }
}
