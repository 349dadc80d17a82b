//! What can go wrong on a connection.

use std::io;

#[cfg(feature = "python")]
use multiproc_wire::pickle::{ObjectError, PickleError};
use multiproc_wire::{DecodeError, EncodeError};

use crate::{Address, Digest};

/// An error returned from [`Connection::send`](crate::Connection::send) and its siblings.
///
/// Nothing was sent, and the connection is as usable as it was. There is one exception: a stream that
/// breaks in the middle of a message stays [`Closed`](Self::Closed) for whoever sends next, because
/// what followed would be taken for the rest.
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

    /// The value cannot be written as a pickle: it is no plain data, or nested too deep.
    ///
    /// Python raises `PicklingError`, `TypeError`, `AttributeError` or `RecursionError`.
    #[cfg(feature = "python")]
    #[error("failed to pickle message")]
    Pickle(#[from] ObjectError),

    /// The message has handles in it, and this connection is a network one.
    ///
    /// Only pipes and Unix sockets carry handles, between Rust ends: a Python at the other end of a
    /// Unix socket cannot be told from a Rust one, and loses its place in the stream when handles
    /// come. Python raises `OSError`.
    #[error("connection is a network one and carries no handles")]
    HandlesRefused,

    /// This process was forked while a thread or task was in the middle of sending a message on the same
    /// stream, which belongs to the parent. To receive works.
    ///
    /// Python sends, and the message lands inside the other one.
    #[error("connection cannot send: the process was forked while a message on it was half sent")]
    HalfSent,

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
    /// from the rest of it; or this process was forked while a thread or task was in the middle of
    /// one, and the rest of it is the parent's.
    ///
    /// Sending still works. Python raises `OSError`, "connection is write-only".
    #[error("connection cannot receive after it refused or lost a message")]
    Lost,

    /// This process has no room for the descriptors that came with a message, which is lost: close
    /// some, or raise the limit (`ulimit -n`).
    ///
    /// They are those of the handles in it, and on a pipe that of the file in which a long message
    /// travels. Those that did arrive are closed again. The connection stays usable, and the next
    /// receive takes the next message. Python raises `RuntimeError`.
    #[error(
        "too many open files to receive a message: it is lost, and the connection goes on with the \
         next"
    )]
    NoRoom,

    /// The bytes are not a value of the connection's type. The message is gone, the connection
    /// stays usable.
    ///
    /// Python raises `UnpicklingError`, or whatever else a broken pickle raises.
    #[error("failed to decode message")]
    Decode(#[from] DecodeError),

    /// The message is no pickle, or one that names a class or function which is not on the list,
    /// contains itself, or is too deep or too large. The message is gone, the connection stays
    /// usable.
    ///
    /// Python raises `UnpicklingError`, or whatever else a broken pickle raises; it takes the others.
    #[cfg(feature = "python")]
    #[error("failed to unpickle message")]
    Pickle(#[from] PickleError),

    /// The message is a pickle, but its object is not what the type asked for is made of. The
    /// message is gone, the connection stays usable.
    ///
    /// To keep what came, receive an `Object` first. Python hands over any object, and fails where
    /// it is used.
    #[cfg(feature = "python")]
    #[error("message holds an object of another type")]
    Object(#[from] ObjectError),

    /// The operating system refused. Python raises `OSError`.
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

/// An error returned when an address is read from text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The text is no path, abstract name or host with a port. Python raises `ValueError`.
    #[error("`{0}` is no address: expected a path with a `/`, `@name`, `host:port` or `[v6]:port`")]
    Invalid(String),

    /// The text names a Windows pipe. Python raises `ValueError`.
    #[error("`{0}` is a Windows pipe, which this system does not have")]
    NamedPipe(String),
}

/// An error returned from [`ListenerBuilder::bind`](crate::ListenerBuilder::bind).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address is none. Python raises `ValueError`.
    #[error(transparent)]
    Address(#[from] AddressError),

    /// No private folder could be made. Python raises `OSError`.
    #[error("failed to make a private folder for a socket")]
    Folder(#[source] io::Error),

    /// The operating system refused: "address in use" for one. Python raises `OSError`.
    #[error("failed to listen at {address}")]
    Io {
        /// Where to listen.
        address: Address,
        /// Why not.
        source: io::Error,
    },
}

/// An error returned from [`ClientBuilder::connect`](crate::ClientBuilder::connect).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is none. Python raises `ValueError`.
    #[error(transparent)]
    Address(#[from] AddressError),

    /// Nobody listens there, or the operating system refused.
    ///
    /// Python raises `ConnectionRefusedError`, `FileNotFoundError` or another `OSError`.
    #[error("failed to connect to {address}")]
    Io {
        /// Where to connect.
        address: Address,
        /// Why not.
        source: io::Error,
    },

    /// The two ends do not know the same key. Python raises `AuthenticationError`.
    #[error("failed to authenticate")]
    Authentication(#[from] AuthenticationError),
}

/// An error returned from [`ClientBuilder::connect_timeout`](crate::ClientBuilder::connect_timeout).
#[derive(Debug, thiserror::Error)]
pub enum ConnectTimeoutError {
    /// The connection was not made in time. Python has no time-out here.
    #[error("no connection was made in time")]
    Timeout,

    /// What would also have failed without a time-out.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// An error returned from [`Listener::accept`](crate::Listener::accept).
///
/// The listener is as usable as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// Somebody connected and did not prove in time that they know the key.
    ///
    /// Python raises `AuthenticationError`, or `EOFError` and `OSError` where the client went away.
    #[error("failed to authenticate a client")]
    Authentication(#[from] AuthenticationError),

    /// The operating system refused: "too many open files" for one. Python raises `OSError`.
    #[error("failed to accept a connection")]
    Io(#[from] io::Error),
}

/// An error returned from [`Listener::try_accept`](crate::Listener::try_accept).
#[derive(Debug, thiserror::Error)]
pub enum TryAcceptError {
    /// Nobody has connected, or finished the handshake. Python always waits.
    #[error("no client is waiting")]
    Empty,

    /// What would also have failed with waiting.
    #[error(transparent)]
    Accept(#[from] AcceptError),
}

/// An error returned from [`Listener::accept_timeout`](crate::Listener::accept_timeout).
#[derive(Debug, thiserror::Error)]
pub enum AcceptTimeoutError {
    /// Nobody has connected, or finished the handshake, in time. Python always waits.
    #[error("no client came in time")]
    Timeout,

    /// What would also have failed without a time-out.
    #[error(transparent)]
    Accept(#[from] AcceptError),
}

/// The reason why the two ends of a connection do not trust each other.
///
/// The connection is of no further use. Where no other name stands, Python raises
/// `multiprocessing.AuthenticationError`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticationError {
    /// The other end knows a different key.
    #[error("digest received was wrong")]
    WrongDigest,

    /// The other end says that this one's key is different.
    #[error("digest sent was rejected")]
    Rejected,

    /// The other end began with something that is no challenge. Perhaps it has no key.
    #[error("expected a challenge from the other end")]
    NoChallenge,

    /// The challenge has too few bytes to be one.
    #[error("challenge of {0} bytes is too short")]
    ShortChallenge(usize),

    /// The other end names no digest, or one that nobody knows.
    #[error("other end uses an unknown digest")]
    UnknownDigest,

    /// The digest is weaker than what was asked for, or is MD5 and that is not allowed.
    #[error("digest {} is refused", .0.name())]
    DigestRefused(Digest),

    /// The other end sent our own challenge back, to have us answer it.
    #[error("other end sent our own challenge back")]
    Reflected,

    /// The other end took too long. Python waits for ever.
    #[error("other end did not authenticate in time")]
    TimedOut,

    /// The system has no random numbers. Python raises `NotImplementedError`.
    #[error("no random numbers for a challenge")]
    Random(#[source] io::Error),

    /// Nothing can be sent. Python raises `OSError`.
    #[error(transparent)]
    Send(#[from] SendError),

    /// Nothing came, or something that was too long. Python raises `EOFError` or `OSError`.
    #[error(transparent)]
    Recv(#[from] RecvError),
}

impl From<TrySendError> for AuthenticationError {
    fn from(err: TrySendError) -> Self {
        match err {
            TrySendError::Send(err) => Self::Send(err),
            // A few bytes to somebody who reads: there is room.
            TrySendError::Full => Self::TimedOut,
        }
    }
}

impl From<TryRecvError> for AuthenticationError {
    fn from(err: TryRecvError) -> Self {
        match err {
            TryRecvError::Recv(err) => Self::Recv(err),
            TryRecvError::Empty => Self::TimedOut,
        }
    }
}

impl From<AuthenticationError> for TryAcceptError {
    fn from(err: AuthenticationError) -> Self {
        Self::Accept(err.into())
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
