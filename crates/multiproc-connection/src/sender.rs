//! The sending end of a one-way pipe.

use std::{
    fmt,
    marker::PhantomData,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
};

use serde::{Deserialize, Serialize};

use crate::{SendError, TrySendError, socket::Socket};

/// The end of a one-way pipe that sends.
///
/// Made by [`simplex`](crate::simplex). Like a [`Connection`](crate::Connection) it can be sent, and
/// stays a sender wherever it goes. There is nothing to wait for at a sender: to
/// [`wait`](crate::wait) it is always ready.
///
/// # If a process dies
///
/// As for [`Connection`](crate::Connection): when the last receiver is gone, to send is
/// [`SendError::Closed`].
///
/// # Python
///
/// The second of the two that `Pipe(duplex=False)` returns.
///
/// # Examples
///
/// ```
/// let (rx, tx) = multiproc_connection::simplex::<u8>()?;
/// tx.send(&1)?;
/// assert_eq!(rx.recv()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Sender<T> {
    socket: Socket,
    types: PhantomData<fn(T)>,
}

impl<T> Sender<T> {
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket, types: PhantomData }
    }

    #[cfg(any(feature = "python", feature = "tokio"))]
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Sends the bytes as one message, waiting while the pipe is full.
    ///
    /// # Errors
    ///
    /// As [`Connection::send_bytes`](crate::Connection::send_bytes).
    ///
    /// # Examples
    ///
    /// ```
    /// let (rx, tx) = multiproc_connection::simplex::<()>()?;
    /// tx.send_bytes(b"raw")?;
    /// assert_eq!(rx.recv_bytes()?, b"raw");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<(), SendError> {
        self.socket.send_bytes(bytes)
    }

    /// Closes this end, as dropping it does.
    ///
    /// # Examples
    ///
    /// ```
    /// let (rx, tx) = multiproc_connection::simplex::<u8>()?;
    /// tx.close();
    /// assert!(rx.recv().unwrap_err().is_closed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close(self) {}
}

impl<T: Serialize> Sender<T> {
    /// Sends a value, waiting while the pipe is full.
    ///
    /// # Errors
    ///
    /// As [`Connection::send`](crate::Connection::send).
    ///
    /// # Examples
    ///
    /// ```
    /// let (rx, tx) = multiproc_connection::simplex::<Vec<u8>>()?;
    /// tx.send(&vec![1, 2])?;
    /// assert_eq!(rx.recv()?, [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send(&self, value: &T) -> Result<(), SendError> {
        self.socket.send(value)
    }

    /// Sends a value if the pipe has room for it.
    ///
    /// # Errors
    ///
    /// As [`Connection::try_send`](crate::Connection::try_send).
    ///
    /// # Examples
    ///
    /// ```
    /// let (rx, tx) = multiproc_connection::simplex::<u8>()?;
    /// tx.try_send(&1)?;
    /// assert_eq!(rx.recv()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_send(&self, value: &T) -> Result<(), TrySendError> {
        self.socket.try_send(value)
    }
}

impl<T> AsFd for Sender<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl<T> AsRawFd for Sender<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("fd", &self.socket).finish()
    }
}
