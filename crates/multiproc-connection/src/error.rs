//! What can go wrong on a connection.

use std::io;

use multiproc_wire::{DecodeError, EncodeError};

/// An error returned from [`Connection::send`](crate::Connection::send) and its siblings.
///
/// Nothing was sent, and the connection is as usable as it was.
///
/// # Examples
///
/// ```
/// let (a, b) = multiproc_connection::pipe::<u8, u8>()?;
/// drop(b);
/// assert!(a.send(&1).unwrap_err().is_closed());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No other end is left to receive.
    ///
    /// Python raises `BrokenPipeError` or `ConnectionResetError`.
    #[error("connection closed by the other end")]
    Closed,

    /// The value cannot be encoded.
    ///
    /// Python raises `PicklingError`, `TypeError` or `AttributeError`.
    #[error("failed to encode message")]
    Encode(#[from] EncodeError),

    /// The message has handles in it, and this connection leads to another host or a Python end.
    ///
    /// Only pipes and Unix sockets carry handles. Python raises `OSError`.
    #[error("connection is a network one and carries no handles")]
    HandlesRefused,

    /// The operating system refused. Python raises `OSError`.
    #[error("failed to write to connection")]
    Io(#[source] io::Error),
}

impl SendError {
    /// Returns true if nobody can receive any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

impl From<io::Error> for SendError {
    fn from(err: io::Error) -> Self {
        match err.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::Closed,
            _ => Self::Io(err),
        }
    }
}

/// An error returned from [`Connection::try_send`](crate::Connection::try_send).
///
/// # Examples
///
/// ```
/// use multiproc_connection::TrySendError;
///
/// let (a, b) = multiproc_connection::pipe::<[u8; 32], ()>()?;
/// let err = loop {
///     if let Err(err) = a.try_send(&[0; 32]) {
///         break err;
///     }
/// };
/// assert!(matches!(err, TrySendError::Full));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
pub enum TrySendError {
    /// The pipe is full, and to send would be to wait.
    ///
    /// Python cannot send without waiting; a socket that does not wait raises `BlockingIOError`.
    #[error("connection is full")]
    Full,

    /// What would also have failed with waiting.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl TrySendError {
    /// Returns true if nobody can receive any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Send(err) if err.is_closed())
    }
}

/// An error returned from [`Connection::recv`](crate::Connection::recv) and its siblings.
///
/// # Examples
///
/// ```
/// use multiproc_connection::RecvError;
///
/// let (a, b) = multiproc_connection::pipe::<u8, u8>()?;
/// drop(b);
/// assert!(matches!(a.recv(), Err(RecvError::Closed)));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// Every copy of the other end is closed, and all that was sent has been received.
    ///
    /// Python raises `EOFError`.
    #[error("connection closed by the other end")]
    Closed,

    /// The message is longer than the buffer given to `recv_bytes_into`.
    ///
    /// The message is taken off the connection and handed back here. Python raises
    /// `BufferTooShort`, whose first argument is the message.
    #[error("message of {} bytes does not fit a buffer of {capacity} bytes", message.len())]
    BufferTooShort {
        /// The whole message.
        message: Vec<u8>,
        /// The size of the buffer that was too small.
        capacity: usize,
    },

    /// The other end was closed, or killed, in the middle of a message, which is lost.
    ///
    /// Python raises `OSError`, "got end of file during message".
    #[error("connection closed in the middle of a message")]
    Truncated,

    /// The message is longer than this end takes.
    ///
    /// None of it was received. On a stream it stands in the way of all that follow, and every
    /// later receive is [`Lost`](Self::Lost); a pipe goes on with the next message. To send works
    /// either way. Python raises `OSError`, "bad message length".
    #[error("message of {length} bytes is longer than the {limit} bytes that are taken")]
    TooLong {
        /// How long the other end says that the message is.
        length: u64,
        /// The limit.
        limit: u64,
    },

    /// What came is no message of ours or Python's.
    ///
    /// Every later receive is [`Lost`](Self::Lost). Python raises `OSError`, or waits for ever.
    #[error("connection carries something that is no message")]
    Malformed,

    /// An earlier receive left the stream in the middle of a message, so that no other can be told
    /// from the rest of it.
    ///
    /// Sending still works. Python raises `OSError`, "connection is write-only".
    #[error("connection cannot receive after it refused or lost a message")]
    Lost,

    /// The bytes are not a value of the connection's type. The message is gone, the connection
    /// stays usable.
    ///
    /// Python raises `UnpicklingError`, or whatever else a broken pickle raises.
    #[error("failed to decode message")]
    Decode(#[from] DecodeError),

    /// The operating system refused. Python raises `OSError`.
    ///
    /// With "too many open files" a message that brought handles is gone, and those that did arrive
    /// are closed again; the connection stays usable.
    #[error("failed to read from connection")]
    Io(#[from] io::Error),
}

impl RecvError {
    /// Returns true if nothing will ever come any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

/// An error returned from [`Connection::try_recv`](crate::Connection::try_recv).
///
/// # Examples
///
/// ```
/// use multiproc_connection::TryRecvError;
///
/// let (a, b) = multiproc_connection::pipe::<u8, u8>()?;
/// assert!(matches!(a.try_recv(), Err(TryRecvError::Empty)));
/// drop(b);
/// assert!(a.try_recv().unwrap_err().is_closed());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
pub enum TryRecvError {
    /// No message is there yet.
    ///
    /// In Python `poll()` returns False.
    #[error("no message is waiting")]
    Empty,

    /// What would also have failed with waiting.
    #[error(transparent)]
    Recv(#[from] RecvError),
}

impl From<TryRecvError> for RecvTimeoutError {
    fn from(err: TryRecvError) -> Self {
        match err {
            TryRecvError::Empty => Self::Timeout,
            TryRecvError::Recv(err) => Self::Recv(err),
        }
    }
}

impl TryRecvError {
    /// Returns true if nothing will ever come any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Recv(err) if err.is_closed())
    }
}

/// An error returned from [`Connection::recv_timeout`](crate::Connection::recv_timeout).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use multiproc_connection::RecvTimeoutError;
///
/// let (a, _b) = multiproc_connection::pipe::<u8, u8>()?;
/// let err = a.recv_timeout(Duration::from_millis(1)).unwrap_err();
/// assert!(matches!(err, RecvTimeoutError::Timeout));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
pub enum RecvTimeoutError {
    /// No message came in time.
    ///
    /// In Python `poll(timeout)` returns False.
    #[error("no message came in time")]
    Timeout,

    /// What would also have failed without a time-out.
    #[error(transparent)]
    Recv(#[from] RecvError),
}

impl RecvTimeoutError {
    /// Returns true if nothing will ever come any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Recv(err) if err.is_closed())
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn message_names_the_failure_and_source_names_the_cause() {
        let err = RecvError::from(multiproc_wire::decode::<u8>(&[], vec![]).unwrap_err());
        assert_eq!(err.to_string(), "failed to decode message");
        let source = err.source().unwrap();
        assert_eq!(source.to_string(), "failed to decode a value of type `u8` at byte 0");
        assert_eq!(source.source().unwrap().to_string(), "message ends in the middle of a value");
    }

    #[test]
    fn transparent_errors_do_not_repeat_themselves() {
        let err = TryRecvError::from(RecvError::from(io::Error::other("cause")));
        assert_eq!(err.to_string(), "failed to read from connection");
        assert_eq!(err.source().unwrap().to_string(), "cause");
    }

    #[test]
    fn errors_are_small_and_cross_threads() {
        fn check<T: Send + Sync + 'static>() {}
        check::<(SendError, TrySendError, RecvError, TryRecvError, RecvTimeoutError)>();
        assert!(size_of::<RecvTimeoutError>() <= 40);
        assert!(size_of::<TrySendError>() <= 40);
    }
}
