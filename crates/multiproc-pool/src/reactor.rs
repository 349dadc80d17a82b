//! Waiting for whatever happens to any worker.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use multiproc_sys::poll;
use multiproc_wire::Handle;
use rustix::{
    event::{EventfdFlags, Timespec, epoll, eventfd},
    io::Errno,
};

use crate::{scheduler::WorkerId, worker::Worker};

/// How many events are taken at a time.
const BATCH: usize = 64;
/// No worker's: they count from 1.
const WAKE: u64 = 0;
const COMMON: u64 = 1;

/// What has happened to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Answers(WorkerId),
    End(WorkerId),
}

/// The descriptors of all workers, and one to wake who waits for them.
#[derive(Debug)]
pub(crate) struct Reactor {
    epoll: OwnedFd,
    bell: OwnedFd,
    /// Rung by workers; what it counts up to is of no interest.
    common: Handle,
}

impl Reactor {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let data = epoll::EventData::new_u64(WAKE);
        epoll::add(&epoll, &bell, data, epoll::EventFlags::IN)?;
        let common = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let data = epoll::EventData::new_u64(COMMON);
        // Told of each ring, without having to take anything out.
        epoll::add(&epoll, &common, data, epoll::EventFlags::IN | epoll::EventFlags::ET)?;
        Ok(Self { epoll, bell, common: common.into() })
    }

    /// What workers ring.
    pub(crate) fn common_bell(&self) -> &Handle {
        &self.common
    }

    /// Has the waiting thread look at what has changed.
    pub(crate) fn wake(&self) {
        // It cannot fail but by overflow, and then it has long been heard.
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
    }

    pub(crate) fn add(&self, id: WorkerId, worker: &impl Worker) -> io::Result<()> {
        let add =
            |fd, data, flags| epoll::add(&self.epoll, fd, epoll::EventData::new_u64(data), flags);
        let of_answers = match worker.rings_the_common_bell() {
            true => epoll::EventFlags::RDHUP,
            false => epoll::EventFlags::IN,
        };
        add(worker.answers(), 2 * id, of_answers)?;
        Ok(add(worker.sentinel(), 2 * id + 1, epoll::EventFlags::IN)?)
    }

    /// Forgets a worker. A copy of its descriptors in another process would else go on reporting.
    pub(crate) fn remove(&self, answers: BorrowedFd<'_>, sentinel: BorrowedFd<'_>) {
        let _ = epoll::delete(&self.epoll, answers);
        let _ = epoll::delete(&self.epoll, sentinel);
    }

    /// Forgets what a worker says: it will say no more, and that it will not would be reported for ever.
    pub(crate) fn mute(&self, answers: BorrowedFd<'_>) {
        let _ = epoll::delete(&self.epoll, answers);
    }

    /// Waits until something happens, somebody wakes it, or the time has come.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> io::Result<Vec<Event>> {
        let mut buffer = [epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }; BATCH];
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let count = match epoll::wait(self.epoll.as_fd(), &mut buffer, timeout.as_ref()) {
            Ok(count) => count,
            Err(Errno::INTR) => 0,
            Err(err) => return Err(err.into()),
        };
        let mut events = Vec::with_capacity(count);
        for event in &buffer[..count] {
            match event.data.u64() {
                WAKE => self.hear(),
                COMMON => {}
                data if data % 2 == 0 => events.push(Event::Answers(data / 2)),
                data => events.push(Event::End(data / 2)),
            }
        }
        Ok(events)
    }

    /// Waits until this worker has ended, somebody wakes it, or the time has come; false if it has not ended.
    pub(crate) fn wait_for_end(
        &self,
        sentinel: BorrowedFd<'_>,
        deadline: Option<Instant>,
    ) -> io::Result<bool> {
        let ready = poll::wait_many(&[sentinel, self.bell.as_fd()], deadline)?;
        if ready.contains(&1) {
            self.hear();
        }
        Ok(ready.contains(&0))
    }

    fn hear(&self) {
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
    }
}

/// The moment so far from now; none if that is beyond what the clock can tell.
pub(crate) fn after(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}
