//! The receiving end of a one-way pipe.

use std::{
    fmt, io,
    marker::PhantomData,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{RecvError, RecvTimeoutError, TryRecvError, socket::Socket};

/// The end of a one-way pipe that receives.
///
/// Made by [`simplex`](crate::simplex). Like a [`Connection`](crate::Connection) it can be sent, and
/// stays a receiver wherever it goes.
///
/// # If a process dies
///
/// As for [`Connection`](crate::Connection): when the last sender is gone, what it sent can still be
/// received, then comes [`RecvError::Closed`].
///
/// # Python
///
/// The first of the two that `Pipe(duplex=False)` returns.
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
pub struct Receiver<T> {
    socket: Socket,
    types: PhantomData<fn() -> T>,
}

impl<T> Receiver<T> {
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket, types: PhantomData }
    }

    #[cfg(any(feature = "python", feature = "tokio"))]
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Waits for a message and returns its bytes as they are.
    ///
    /// # Errors
    ///
    /// As [`Connection::recv_bytes`](crate::Connection::recv_bytes).
    ///
    /// # Examples
    ///
    /// ```
    /// let (rx, tx) = multiproc_connection::simplex::<()>()?;
    /// tx.send_bytes(b"raw")?;
    /// assert_eq!(rx.recv_bytes()?, b"raw");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_bytes(&self) -> Result<Vec<u8>, RecvError> {
        self.socket.recv_bytes()
    }

    /// Waits for a message of at most `max` bytes and returns its bytes as they are.
    ///
    /// # Errors
    ///
    /// As [`Connection::recv_bytes_max`](crate::Connection::recv_bytes_max).
    ///
    /// # Examples
    ///
    /// ```
    /// let (rx, tx) = multiproc_connection::simplex::<()>()?;
    /// tx.send_bytes(b"raw")?;
    /// assert_eq!(rx.recv_bytes_max(3)?, b"raw");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_bytes_max(&self, max: usize) -> Result<Vec<u8>, RecvError> {
        self.socket.recv_bytes_max(max)
    }

    /// Returns the bytes of a message if one is there.
    ///
    /// # Errors
    ///
    /// As [`Connection::try_recv_bytes`](crate::Connection::try_recv_bytes).
    ///
    /// # Examples
    ///
    /// ```
    /// let (rx, tx) = multiproc_connection::simplex::<()>()?;
    /// assert!(rx.try_recv_bytes().is_err());
    /// tx.send_bytes(b"now")?;
    /// assert_eq!(rx.try_recv_bytes()?, b"now");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_recv_bytes(&self) -> Result<Vec<u8>, TryRecvError> {
        self.socket.try_recv_bytes()
    }

    /// Waits for a message for at most `timeout` and returns its bytes as they are.
    ///
    /// # Errors
    ///
    /// As [`Connection::recv_bytes_timeout`](crate::Connection::recv_bytes_timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (rx, tx) = multiproc_connection::simplex::<()>()?;
    /// assert!(rx.recv_bytes_timeout(Duration::from_millis(1)).is_err());
    /// tx.send_bytes(b"soon")?;
    /// assert_eq!(rx.recv_bytes_timeout(Duration::from_secs(60))?, b"soon");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_bytes_timeout(&self, timeout: Duration) -> Result<Vec<u8>, RecvTimeoutError> {
        self.socket.recv_bytes_timeout(timeout)
    }

    /// Sets the longest message that this end takes, in bytes.
    ///
    /// See [`Connection::max_message`](crate::Connection::max_message).
    ///
    /// # Examples
    ///
    /// ```
    /// let (rx, tx) = multiproc_connection::simplex::<String>()?;
    /// let rx = rx.max_message(100);
    /// tx.send(&"x".repeat(101))?;
    /// assert!(rx.recv().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "the end with the limit is the one returned"]
    pub fn max_message(mut self, bytes: u64) -> Self {
        self.socket = self.socket.with_limit(bytes);
        self
    }

    /// Waits for a message, puts its bytes at the front of `buffer` and returns their number.
    ///
    /// # Errors
    ///
    /// As [`Connection::recv_bytes_into`](crate::Connection::recv_bytes_into).
    ///
    /// # Examples
    ///
    /// ```
    /// let (rx, tx) = multiproc_connection::simplex::<()>()?;
    /// tx.send_bytes(b"raw")?;
    /// let mut buffer = [0; 8];
    /// let len = rx.recv_bytes_into(&mut buffer)?;
    /// assert_eq!(&buffer[..len], b"raw");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_bytes_into(&self, buffer: &mut [u8]) -> Result<usize, RecvError> {
        self.socket.recv_bytes_into(buffer)
    }

    /// Waits until a message can be received, and returns false if `timeout` passes first.
    ///
    /// # Errors
    ///
    /// As [`Connection::poll`](crate::Connection::poll).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (rx, tx) = multiproc_connection::simplex::<()>()?;
    /// assert!(!rx.poll(Duration::ZERO)?);
    /// drop(tx);
    /// assert!(rx.poll(None)?, "the end takes no waiting");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll(&self, timeout: impl Into<Option<Duration>>) -> io::Result<bool> {
        self.socket.poll(timeout.into())
    }

    /// Closes this end, as dropping it does.
    ///
    /// # Examples
    ///
    /// ```
    /// let (rx, tx) = multiproc_connection::simplex::<u8>()?;
    /// rx.close();
    /// assert!(tx.send(&1).unwrap_err().is_closed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close(self) {}
}

impl<T: DeserializeOwned> Receiver<T> {
    /// Waits for a value.
    ///
    /// # Errors
    ///
    /// As [`Connection::recv`](crate::Connection::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// let (rx, tx) = multiproc_connection::simplex::<char>()?;
    /// "ab".chars().try_for_each(|letter| tx.send(&letter))?;
    /// assert_eq!((rx.recv()?, rx.recv()?), ('a', 'b'));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv(&self) -> Result<T, RecvError> {
        self.socket.recv()
    }

    /// Returns a value if one is there.
    ///
    /// # Errors
    ///
    /// As [`Connection::try_recv`](crate::Connection::try_recv).
    ///
    /// # Examples
    ///
    /// ```
    /// let (rx, tx) = multiproc_connection::simplex::<char>()?;
    /// assert!(rx.try_recv().is_err());
    /// tx.send(&'x')?;
    /// assert_eq!(rx.try_recv()?, 'x');
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.socket.try_recv()
    }

    /// Waits for a value for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Connection::recv_timeout`](crate::Connection::recv_timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (rx, tx) = multiproc_connection::simplex::<char>()?;
    /// assert!(rx.recv_timeout(Duration::from_millis(1)).is_err());
    /// tx.send(&'x')?;
    /// assert_eq!(rx.recv_timeout(Duration::from_secs(60))?, 'x');
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.socket.recv_timeout(timeout)
    }
}

impl<T> AsFd for Receiver<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl<T> AsRawFd for Receiver<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("fd", &self.socket).finish()
    }
}
