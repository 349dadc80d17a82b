//! Waiting for descriptors against a deadline.
//!
//! An interrupting signal never ends a wait early: the handler runs, then the wait goes on against the same deadline.

use std::{
    io,
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

/// The moment `timeout` from now, or `None` (for ever) where that is beyond what the clock can tell.
#[must_use]
pub fn deadline_after(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

/// Waits until `fd` is readable or at its end; false means that `deadline` passed first.
///
/// # Errors
///
/// What `poll(2)` reports, `EINTR` excepted.
pub fn wait_readable(fd: BorrowedFd<'_>, deadline: Option<Instant>) -> io::Result<bool> {
    wait(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], deadline).map(|ready| ready > 0)
}

/// Waits until `fd` takes bytes or its other end is gone; false means that `deadline` passed first.
///
/// # Errors
///
/// What `poll(2)` reports, `EINTR` excepted.
pub fn wait_writable(fd: BorrowedFd<'_>, deadline: Option<Instant>) -> io::Result<bool> {
    wait(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], deadline).map(|ready| ready > 0)
}

/// Waits until one of `fds` is readable or at its end and returns the indices of all that are; none means that
/// `deadline` passed first.
///
/// # Errors
///
/// What `poll(2)` reports, `EINTR` excepted; `EBADF` if a descriptor is not open.
pub fn wait_many(fds: &[BorrowedFd<'_>], deadline: Option<Instant>) -> io::Result<Vec<usize>> {
    let mut polled: Vec<_> =
        fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    wait(&mut polled, deadline)?;
    if polled.iter().any(|fd| fd.revents().contains(PollFlags::NVAL)) {
        return Err(Errno::BADF.into());
    }
    Ok(polled
        .iter()
        .enumerate()
        .filter(|(_, fd)| !fd.revents().is_empty())
        .map(|(index, _)| index)
        .collect())
}

/// Waits until one of those `fds` that there are is readable or at its end, and tells which are, without allocating: for
/// a process that forks, in which each page that is written to has to be copied first.
///
/// # Errors
///
/// What `poll(2)` reports, `EINTR` excepted.
pub fn wait_few<const N: usize>(fds: [Option<BorrowedFd<'_>>; N]) -> io::Result<[bool; N]> {
    let mut ready = [false; N];
    let Some(filler) = fds.iter().flatten().next() else { return Ok(ready) };
    let watch = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
    let mut polled: [PollFd<'_>; N] = std::array::from_fn(|_| watch(*filler));
    let mut count = 0;
    for fd in fds.iter().flatten() {
        polled[count] = watch(*fd);
        count += 1;
    }
    wait(&mut polled[..count], None)?;
    let mut polled = polled.iter();
    for (ready, fd) in ready.iter_mut().zip(fds) {
        *ready = fd.is_some() && polled.next().is_some_and(|fd| !fd.revents().is_empty());
    }
    Ok(ready)
}

fn wait(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<usize> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(fds, timeout.as_ref()) {
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn end_of_a_pipe_is_readable() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        assert!(!wait_readable(read.as_fd(), Some(Instant::now())).unwrap());
        drop(write);
        assert!(wait_readable(read.as_fd(), None).unwrap());
    }

    #[test]
    fn many_tells_which() {
        let (idle, _keep) = rustix::pipe::pipe().unwrap();
        let (busy, write) = rustix::pipe::pipe().unwrap();
        rustix::io::write(&write, b"x").unwrap();
        assert_eq!(wait_many(&[idle.as_fd(), busy.as_fd()], None).unwrap(), [1]);
        assert_eq!(wait_many(&[idle.as_fd()], Some(Instant::now())).unwrap(), [] as [usize; 0]);
    }

    #[test]
    fn few_tells_which_of_those_that_there_are() {
        let (idle, _keep) = rustix::pipe::pipe().unwrap();
        let (busy, write) = rustix::pipe::pipe().unwrap();
        drop(write);
        let ready = wait_few([None, Some(idle.as_fd()), None, Some(busy.as_fd())]).unwrap();
        assert_eq!(ready, [false, false, false, true]);
        assert_eq!(wait_few([None]).unwrap(), [false], "nobody is waited for for ever");
    }

    #[test]
    fn endless_timeout_has_no_deadline() {
        assert_eq!(deadline_after(Duration::MAX), None);
    }
}
