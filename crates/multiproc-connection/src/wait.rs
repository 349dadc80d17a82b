//! Waiting for any of many.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use multiproc_sys::poll;

/// Waits until at least one of the objects is ready and returns the places of all that are.
///
/// A connection is ready when a message waits or its end is reached, a process's sentinel when the
/// process has ended, anything else when it is readable. `None` waits as long as it takes. An empty
/// list of places says that time is up. A signal does not end the wait.
///
/// # If a process dies
///
/// The connections of which it held the last other end become ready, as does its sentinel.
///
/// # Python
///
/// `multiprocessing.connection.wait`. With nothing to wait for and no timeout it sleeps for ever
/// there; here it returns at once.
///
/// # Errors
///
/// Returns the system's error: "invalid argument" for more objects than a process may have open
/// descriptors.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use multiproc_connection::{pipe, simplex, wait};
///
/// let (one, _other) = pipe::<u8, u8>()?;
/// let (rx, tx) = simplex::<String>()?;
/// tx.send(&"hello".to_owned())?;
///
/// assert_eq!(wait(&[&one, &rx], None)?, [1]);
/// assert_eq!(wait(&[&one], Duration::from_millis(1))?, []);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn wait(objects: &[&dyn AsFd], timeout: impl Into<Option<Duration>>) -> io::Result<Vec<usize>> {
    let timeout = timeout.into();
    if objects.is_empty() && timeout.is_none() {
        return Ok(Vec::new());
    }
    let fds: Vec<BorrowedFd<'_>> = objects.iter().map(|object| object.as_fd()).collect();
    poll::wait_many(&fds, timeout.and_then(poll::deadline_after))
}
