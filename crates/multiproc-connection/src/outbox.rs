//! The payload files that an end keeps, to fill them again.
//!
//! Files are kept by end, not by thread or process: behind the payload a file still holds the rest of a longer one that
//! went before, and only who could receive that one may see it.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{Mutex, MutexGuard, TryLockError},
    thread,
    time::{Duration, Instant},
};

use multiproc_image::after_fork::ForkLocal;
use multiproc_sys::{
    memfd,
    payload::Payload,
    primitive::{AtomicUsize, Ordering},
};

use crate::patience::Patience;

/// How many files an end keeps: one is filled while another is read, and on a busy machine one side runs ahead.
const MOST: usize = 4;

/// How many bytes the files have room for that all ends of a process keep together.
const MOST_BYTES: usize = 64 << 20;

/// How long to wait for a used file, for each page of the message: four times what a page of a fresh one costs, about.
///
/// A receiver that is alive but has no core just now is worth more than the break-even; one that is not costs this once.
const PAGE: usize = 4096;
const PATIENCE_A_PAGE: Duration = Duration::from_micros(8);

/// How many bytes this process keeps.
static KEPT: ForkLocal<AtomicUsize> = ForkLocal::new(|_| AtomicUsize::new(0));

/// The files of one end. Nothing is allocated before the first long message.
#[derive(Default)]
pub(crate) struct Outbox {
    // Never waited for: who finds it locked sends in a fresh file. So a forked child, in which the lock may be
    // locked for ever, sends all the same.
    files: Mutex<Option<Box<Files>>>,
}

struct Files {
    /// The count that these files are in; that of another process, if we are its forked child.
    count: &'static AtomicUsize,
    /// The one sent longest ago comes first.
    kept: Vec<Payload>,
    /// The last wait was worth it.
    patient: bool,
}

/// A payload file, as it is sent, and what is kept of it.
pub(crate) type Filled = (OwnedFd, Option<Payload>);

impl Outbox {
    /// Puts `bytes` into a file: one of those kept, if there is one that nobody reads any more.
    ///
    /// Unless patience is none, it waits for one, but not for long, and after a wait in vain not again before a file is
    /// free: whether anybody receives is not its concern.
    pub(crate) fn fill(&self, bytes: &[u8], patience: Patience) -> io::Result<Filled> {
        let payload = match self.take_free(bytes.len(), patience) {
            Some(mut payload) => payload.refill(bytes).then_some(payload),
            None => None,
        };
        let payload = match payload {
            Some(payload) => Some(payload),
            None => Payload::new(bytes)?,
        };
        let file = match &payload {
            Some(payload) => payload.share()?,
            None => memfd::seal(bytes)?,
        };
        Ok((file, payload))
    }

    /// Keeps the file of a message that was sent, or was not.
    pub(crate) fn keep(&self, payload: Option<Payload>) {
        if let (Some(payload), Some(mut files)) = (payload, self.files()) {
            Files::of_this_process(&mut files).keep(payload);
        }
    }

    fn take_free(&self, length: usize, patience: Patience) -> Option<Payload> {
        let mut deadline = None;
        loop {
            {
                let mut files = self.files()?;
                let files = Files::of_this_process(&mut files);
                if let Some(payload) = files.take_free(length) {
                    return Some(payload);
                }
                let expired = deadline.is_some_and(|deadline| deadline <= Instant::now());
                files.patient &= !expired;
                if files.kept.len() < MOST || !files.patient || matches!(patience, Patience::None) {
                    return None;
                }
            }
            if deadline.is_none() {
                let pages = u32::try_from(length / PAGE).unwrap_or(u32::MAX);
                deadline = Instant::now().checked_add(PATIENCE_A_PAGE.saturating_mul(pages));
            }
            thread::yield_now();
        }
    }

    fn files(&self) -> Option<MutexGuard<'_, Option<Box<Files>>>> {
        match self.files.try_lock() {
            Ok(files) => Some(files),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl Files {
    /// Returns the files of this process; those of the one it was forked from are that one's to fill.
    fn of_this_process(files: &mut Option<Box<Self>>) -> &mut Self {
        let count = KEPT.get();
        let is_ours = files.as_ref().is_some_and(|files| std::ptr::eq(files.count, count));
        if !is_ours {
            *files = None;
        }
        files.get_or_insert_with(|| Box::new(Self { count, kept: Vec::new(), patient: true }))
    }

    fn take_free(&mut self, length: usize) -> Option<Payload> {
        let fits = |payload: &Payload| length <= payload.capacity() && payload.is_free();
        let place = self.kept.iter().position(fits)?;
        self.patient = true;
        Some(self.remove(place))
    }

    /// Takes a file in, and lets go of the oldest if there are too many.
    fn keep(&mut self, payload: Payload) {
        let capacity = payload.capacity();
        if MOST <= self.kept.len() {
            self.remove(0);
        }
        if self.count.fetch_add(capacity, Ordering::Relaxed) + capacity <= MOST_BYTES {
            self.kept.push(payload);
        } else {
            self.count.fetch_sub(capacity, Ordering::Relaxed);
        }
    }

    fn remove(&mut self, place: usize) -> Payload {
        let payload = self.kept.remove(place);
        self.count.fetch_sub(payload.capacity(), Ordering::Relaxed);
        payload
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // In a forked child this lowers a copy that nobody looks at.
        while !self.kept.is_empty() {
            self.remove(0);
        }
    }
}
