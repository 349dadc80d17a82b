//! How a child knows that its parent lives.
//!
//! Every process that has children holds the write end of one pipe, and each child a copy of the read end: the pipe is
//! at its end when the parent has ended, however it ended. A daemonic child has the kernel kill it then
//! ([`multiproc_sys::lifeline`]); any child can ask or wait ([`parent`]).

#![expect(
    unsafe_code,
    reason = "descriptors that are kept as numbers, because a forked child closes them without a lock"
)]

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd},
    sync::{Arc, Mutex, PoisonError},
};

use multiproc_sys::{
    lifeline,
    primitive::{AtomicI32, Ordering},
};

use crate::{
    after_fork::{self, ForkLocal, Prepared},
    threads,
};

const NONE: RawFd = -1;

// Invariant: each is NONE or a descriptor that this module owns. Set at most once in a process, taken back only in the
// child of a fork, where no other thread is.
static READ: AtomicI32 = AtomicI32::new(NONE);
static WRITE: AtomicI32 = AtomicI32::new(NONE);

/// The lifeline to the parent. A forked child leaves the one it has inherited open: it is a read end, which keeps nothing
/// alive, and handles to it may be about.
static PARENT: ForkLocal<Mutex<Option<Arc<OwnedFd>>>> = ForkLocal::new(|_| Mutex::new(None));

/// Keeps two threads from making the pipe twice.
static MAKING: ForkLocal<Mutex<()>> = ForkLocal::new(|_| Mutex::new(()));

/// A copy of the read end of our pipe, to be given to a child.
///
/// # Errors
///
/// `EMFILE`, `ENFILE`.
pub fn for_child() -> io::Result<OwnedFd> {
    if READ.load(Ordering::Acquire) == NONE {
        let _making = MAKING.get().lock();
        if READ.load(Ordering::Acquire) == NONE {
            after_fork::register(forget);
            let (read, write) = lifeline::pipe()?;
            WRITE.store(write.into_raw_fd(), Ordering::Release);
            READ.store(read.into_raw_fd(), Ordering::Release);
        }
    }
    borrow(&READ).map_or(Err(io::ErrorKind::NotFound.into()), |read| read.try_clone_to_owned())
}

/// Makes `line` the lifeline of this process to its parent; a daemonic process dies with it.
///
/// # Errors
///
/// What arming the lifeline reports.
pub fn adopt(line: OwnedFd, daemon: bool) -> io::Result<()> {
    after_fork::register(forget);
    if daemon {
        die_with(line.as_fd())?;
    }
    PARENT.set(Mutex::new(Some(Arc::new(line))));
    Ok(())
}

/// A lifeline made ready before a fork, so that the child need not allocate for it.
#[derive(Debug)]
pub struct PreparedLine {
    line: Arc<OwnedFd>,
    slot: Prepared<Mutex<Option<Arc<OwnedFd>>>>,
}

/// Makes `line` ready for a child that is about to be forked.
#[must_use]
pub fn prepare(line: OwnedFd) -> PreparedLine {
    after_fork::register(forget);
    let line = Arc::new(line);
    PreparedLine { slot: PARENT.prepare(Mutex::new(Some(line.clone()))), line }
}

impl PreparedLine {
    /// In the child: does what [`adopt`] does.
    ///
    /// # Errors
    ///
    /// As [`adopt`].
    pub fn adopt(self, daemon: bool) -> io::Result<()> {
        if daemon {
            die_with(self.line.as_fd())?;
        }
        PARENT.adopt(self.slot);
        Ok(())
    }
}

fn die_with(line: BorrowedFd<'_>) -> io::Result<()> {
    let start_thread = |body| threads::spawn("multiproc-lifeline", body).map(drop);
    lifeline::die_with(line, start_thread)
}

/// The lifeline to the parent, readable once the parent has ended; none in the first process of a family.
#[must_use]
pub fn parent() -> Option<Arc<OwnedFd>> {
    PARENT.get_if_made()?.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Lets go of the lifeline to the parent: for a process that forks for others and is no child in their eyes.
pub fn release() {
    if let Some(line) = PARENT.get_if_made() {
        *line.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Closes what the forked child has inherited: as long as it held the write end, its parent's children would think that
/// the parent lives.
fn forget() {
    for slot in [&READ, &WRITE] {
        close(slot.swap(NONE, Ordering::AcqRel));
    }
}

fn borrow(slot: &AtomicI32) -> Option<BorrowedFd<'static>> {
    let fd = slot.load(Ordering::Acquire);
    // SAFETY: By the invariant the descriptor stays open for as long as this process runs this code.
    (fd != NONE).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
}

fn close(fd: RawFd) {
    if fd != NONE {
        // SAFETY: By the invariant it is ours, and the caller has just taken it out of its slot.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    }
}
