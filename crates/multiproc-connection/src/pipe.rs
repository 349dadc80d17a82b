//! Making both ends of a pipe.

use std::io;

use rustix::net::{Shutdown, shutdown};

use crate::{Connection, Receiver, Sender, socket::Socket};

/// Makes a two-way pipe and returns its ends.
///
/// The first sends `S` and receives `R`, the second the other way round. Both are equal otherwise.
/// They are closed on exec: only processes that are handed an end have it.
///
/// # Python
///
/// `multiprocessing.Pipe()`.
///
/// # Errors
///
/// Returns the system's error when it has no more descriptors or memory.
///
/// # Examples
///
/// ```
/// use multiproc_connection::pipe;
///
/// let (a, b) = pipe::<i64, f64>()?;
/// a.send(&2)?;
/// b.send(&(b.recv()? as f64).sqrt())?;
/// assert_eq!(a.recv()?, 2f64.sqrt());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "Pipe")]
pub fn pipe<S, R>() -> io::Result<(Connection<S, R>, Connection<R, S>)> {
    let (a, b) = Socket::pair()?;
    Ok((Connection::new(a), Connection::new(b)))
}

/// Makes a one-way pipe and returns its receiving and its sending end.
///
/// The direction is a matter of type and of the socket: a process that got hold of the receiver's
/// descriptor cannot send on it either.
///
/// # Python
///
/// `multiprocessing.Pipe(duplex=False)`, whose order of ends is the same. To use one in the wrong
/// direction is an `OSError` there, and does not compile here.
///
/// # Errors
///
/// Returns the system's error when it has no more descriptors or memory.
///
/// # Examples
///
/// ```
/// use multiproc_connection::simplex;
///
/// let (rx, tx) = simplex::<String>()?;
/// tx.send(&"one way".to_owned())?;
/// drop(tx);
/// assert_eq!(rx.recv()?, "one way");
/// assert!(rx.recv().unwrap_err().is_closed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// ```compile_fail,E0599
/// # let (rx, tx) = multiproc_connection::simplex::<u8>()?;
/// rx.send(&1)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "Pipe")]
pub fn simplex<T>() -> io::Result<(Receiver<T>, Sender<T>)> {
    let (rx, tx) = Socket::pair()?;
    // This one call also makes the other end unable to receive.
    shutdown(&rx, Shutdown::Write)?;
    Ok((Receiver::new(rx), Sender::new(tx)))
}
