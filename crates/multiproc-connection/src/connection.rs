//! The two-way end.

use std::{
    fmt, io,
    marker::PhantomData,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError, socket::Socket};

/// One end of a two-way pipe, which sends `S` and receives `R`.
///
/// Made by [`pipe`](crate::pipe). It can be an argument or part of a message itself, and arrives as
/// a `Connection<S, R>` again; the one that was sent stays open until it is dropped. Threads can
/// share an end: each message goes to one of those who receive, whole.
///
/// # If a process dies
///
/// The system closes its ends, however it died. When none is left on the other side, what was sent
/// before can still be received, then comes [`RecvError::Closed`]; to send is
/// [`SendError::Closed`]. A process that is killed while it sends has sent the message or has not.
///
/// # Python
///
/// `multiprocessing.connection.Connection`. `poll` and `recv` are joined by `try_recv` and
/// `recv_timeout`, which leave no moment in which another receiver can be faster. Offsets and sizes
/// of `send_bytes` and `recv_bytes_into` are slices: `&buf[5..]`. What `fileno` returns is
/// [`AsFd`] and [`AsRawFd`]; `with` is a scope; `closed` cannot happen. With a Python at the other
/// end, `send` and `recv` are `send_object` and `recv_object`, for which there is the feature
/// `python`.
///
/// # Examples
///
/// ```
/// use multiproc_connection::{Connection, pipe};
///
/// // Hand one end of a new pipe over an old one.
/// let (left, right) = pipe::<Connection<u8, String>, ()>()?;
/// let (ours, theirs) = pipe::<String, u8>()?;
/// left.send(&theirs)?;
/// drop(theirs);
///
/// let received = right.recv()?;
/// received.send(&7)?;
/// assert_eq!(ours.recv()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Connection<S, R = S> {
    socket: Socket,
    // As of a function: holds neither, so is Send and Sync whatever they are.
    types: PhantomData<fn(S) -> R>,
}

impl<S, R> Connection<S, R> {
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket, types: PhantomData }
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Sends the bytes as one message, waiting while the pipe is full.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), except that there is nothing to encode.
    ///
    /// # Examples
    ///
    /// ```
    /// let (a, b) = multiproc_connection::pipe::<(), ()>()?;
    /// let alphabet = b"abcdefghijklmnopqrstuvwxyz";
    /// a.send_bytes(&alphabet[7..7 + 8])?;
    /// assert_eq!(b.recv_bytes()?, b"hijklmno");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<(), SendError> {
        self.socket.send_bytes(bytes)
    }

    /// Waits for a message and returns its bytes as they are.
    ///
    /// Handles that came with it are closed.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), except that nothing is decoded.
    ///
    /// # Examples
    ///
    /// ```
    /// let (a, b) = multiproc_connection::pipe::<(), ()>()?;
    /// a.send_bytes(b"")?;
    /// a.send_bytes(b"thank you")?;
    /// assert_eq!(b.recv_bytes()?, b"");
    /// assert_eq!(b.recv_bytes()?, b"thank you");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_bytes(&self) -> Result<Vec<u8>, RecvError> {
        self.socket.recv_bytes()
    }

    /// Waits for a message of at most `max` bytes and returns its bytes as they are.
    ///
    /// # Python
    ///
    /// `recv_bytes(maxlength)`.
    ///
    /// # Errors
    ///
    /// As [`recv_bytes`](Self::recv_bytes), and [`RecvError::TooLong`] for a longer message, which
    /// is not received. A pipe goes on with the next one; a stream can then only send.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_connection::RecvError;
    ///
    /// let (a, b) = multiproc_connection::pipe::<(), ()>()?;
    /// a.send_bytes(b"longer")?;
    /// a.send_bytes(b"short")?;
    /// assert!(matches!(b.recv_bytes_max(5), Err(RecvError::TooLong { length: 6, limit: 5 })));
    /// assert_eq!(b.recv_bytes_max(5)?, b"short");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_bytes_max(&self, max: usize) -> Result<Vec<u8>, RecvError> {
        self.socket.recv_bytes_max(max)
    }

    /// Returns the bytes of a message if one is there.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](Self::try_recv), except that nothing is decoded.
    ///
    /// # Examples
    ///
    /// ```
    /// let (a, b) = multiproc_connection::pipe::<(), ()>()?;
    /// assert!(b.try_recv_bytes().is_err());
    /// a.send_bytes(b"now")?;
    /// assert_eq!(b.try_recv_bytes()?, b"now");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_recv_bytes(&self) -> Result<Vec<u8>, TryRecvError> {
        self.socket.try_recv_bytes()
    }

    /// Waits for a message for at most `timeout` and returns its bytes as they are.
    ///
    /// # Errors
    ///
    /// As [`recv_timeout`](Self::recv_timeout), except that nothing is decoded.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (a, b) = multiproc_connection::pipe::<(), ()>()?;
    /// assert!(b.recv_bytes_timeout(Duration::from_millis(1)).is_err());
    /// a.send_bytes(b"soon")?;
    /// assert_eq!(b.recv_bytes_timeout(Duration::from_secs(60))?, b"soon");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_bytes_timeout(&self, timeout: Duration) -> Result<Vec<u8>, RecvTimeoutError> {
        self.socket.recv_bytes_timeout(timeout)
    }

    /// Sets the longest message that this end takes, in bytes.
    ///
    /// Unless set there is no limit on a pipe, where every byte of a message is in memory before it
    /// is received, and 1 GiB on a stream. Memory is got only as bytes arrive, so a peer that
    /// announces more than it sends costs nothing. The limit goes with the end when it is sent.
    ///
    /// # Examples
    ///
    /// ```
    /// let (a, b) = multiproc_connection::pipe::<String, ()>()?;
    /// let b = b.max_message(100);
    /// a.send(&"x".repeat(101))?;
    /// assert!(b.recv().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "the end with the limit is the one returned"]
    pub fn max_message(mut self, bytes: u64) -> Self {
        self.socket = self.socket.with_limit(bytes);
        self
    }

    /// Has this end of a stream take what has come, not one message at a time.
    ///
    /// That saves a system call for each short message. In return only [`poll`](Self::poll) knows of
    /// messages that are here already, [`wait`](crate::wait) does not, and the end can be sent in a
    /// message only while there are none. The end of a pipe stays as it is.
    ///
    /// # Python
    ///
    /// No counterpart: there a message is always read by two system calls.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_connection::{Client, Connection, Listener};
    ///
    /// let listener = Listener::builder().bind()?;
    /// let client: Connection<u8> = Client::builder().connect(listener.address())?;
    /// let served = listener.accept::<u8, u8>()?.read_ahead();
    /// client.send(&1)?;
    /// client.send(&2)?;
    /// assert_eq!((served.recv()?, served.recv()?), (1, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "the end that reads ahead is the one returned"]
    pub fn read_ahead(self) -> Self {
        self.socket.read_ahead();
        self
    }

    /// Waits for a message, puts its bytes at the front of `buffer` and returns their number.
    ///
    /// # Errors
    ///
    /// As [`recv_bytes`](Self::recv_bytes), and [`RecvError::BufferTooShort`] with the message
    /// inside when it is longer than the buffer, which is then untouched.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_connection::RecvError;
    ///
    /// let (a, b) = multiproc_connection::pipe::<(), ()>()?;
    /// let mut buffer = [b'.'; 6];
    /// a.send_bytes(b"abc")?;
    /// assert_eq!(b.recv_bytes_into(&mut buffer)?, 3);
    /// assert_eq!(&buffer, b"abc...");
    ///
    /// a.send_bytes(b"too long for it")?;
    /// match b.recv_bytes_into(&mut buffer) {
    ///     Err(RecvError::BufferTooShort { message, .. }) => assert_eq!(message, b"too long for it"),
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_bytes_into(&self, buffer: &mut [u8]) -> Result<usize, RecvError> {
        self.socket.recv_bytes_into(buffer)
    }

    /// Waits until a message can be received, and returns false if `timeout` passes first.
    ///
    /// `None` waits as long as it takes, [`Duration::ZERO`] only looks. The end of the pipe counts
    /// as a message, because to receive it takes no waiting either.
    ///
    /// # Errors
    ///
    /// Returns the system's error, such as "out of memory".
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (a, b) = multiproc_connection::pipe::<u8, u8>()?;
    /// assert!(!b.poll(Duration::ZERO)?);
    /// a.send(&1)?;
    /// assert!(b.poll(None)?);
    /// assert_eq!(b.recv()?, 1, "poll takes nothing");
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
    /// let (a, b) = multiproc_connection::pipe::<u8, u8>()?;
    /// a.close();
    /// assert!(b.recv().unwrap_err().is_closed());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close(self) {}
}

impl<S: Serialize, R> Connection<S, R> {
    /// Sends a value, waiting while the pipe is full.
    ///
    /// The value is only borrowed. Handles inside are shared with the receiver, not moved.
    ///
    /// # Errors
    ///
    /// Returns [`SendError::Closed`] when no other end is left, [`SendError::Encode`] when the value
    /// refuses, and the system's error otherwise. Nothing was sent then.
    ///
    /// # Examples
    ///
    /// ```
    /// let (a, b) = multiproc_connection::pipe::<(u8, Option<f64>), ()>()?;
    /// a.send(&(1, Some(2.25)))?;
    /// assert_eq!(b.recv()?, (1, Some(2.25)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send(&self, value: &S) -> Result<(), SendError> {
        self.socket.send(value)
    }

    /// Sends a value if the pipe has room for it.
    ///
    /// On a stream there has to be room for the first byte; the rest is then waited for.
    ///
    /// # Errors
    ///
    /// Returns [`TrySendError::Full`] where [`send`](Self::send) would wait, else as `send`.
    ///
    /// # Examples
    ///
    /// ```
    /// let (a, b) = multiproc_connection::pipe::<u32, ()>()?;
    /// let sent = (0..).take_while(|n| a.try_send(n).is_ok()).count();
    /// assert!(sent > 0);
    /// assert_eq!(b.recv()?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_send(&self, value: &S) -> Result<(), TrySendError> {
        self.socket.try_send(value)
    }
}

impl<S, R: DeserializeOwned> Connection<S, R> {
    /// Waits for a value.
    ///
    /// # Errors
    ///
    /// Returns [`RecvError::Closed`] when every copy of the other end is closed and all messages are
    /// received, [`RecvError::Decode`] when the message is no `R`, and the system's error otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// let (a, b) = multiproc_connection::pipe::<String, ()>()?;
    /// a.send(&"last words".to_owned())?;
    /// drop(a);
    /// assert_eq!(b.recv()?, "last words");
    /// assert!(b.recv().unwrap_err().is_closed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv(&self) -> Result<R, RecvError> {
        self.socket.recv()
    }

    /// Returns a value if one is there.
    ///
    /// # Errors
    ///
    /// Returns [`TryRecvError::Empty`] where [`recv`](Self::recv) would wait, else as `recv`.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_connection::TryRecvError;
    ///
    /// let (a, b) = multiproc_connection::pipe::<u8, ()>()?;
    /// assert!(matches!(b.try_recv(), Err(TryRecvError::Empty)));
    /// a.send(&5)?;
    /// assert_eq!(b.try_recv()?, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_recv(&self) -> Result<R, TryRecvError> {
        self.socket.try_recv()
    }

    /// Waits for a value for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Returns [`RecvTimeoutError::Timeout`] when nothing came in time, else as
    /// [`recv`](Self::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (a, b) = multiproc_connection::pipe::<u8, ()>()?;
    /// assert!(b.recv_timeout(Duration::from_millis(5)).is_err());
    /// a.send(&5)?;
    /// assert_eq!(b.recv_timeout(Duration::MAX)?, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_timeout(&self, timeout: Duration) -> Result<R, RecvTimeoutError> {
        self.socket.recv_timeout(timeout)
    }
}

/// Takes over a descriptor: an end of a pipe of ours, or a stream socket of any kind.
///
/// A stream speaks as Python does, and may have a Python end on the other side. On any other
/// descriptor sending and receiving fail. That both ends agree on the types is for the caller to see
/// to; where they do not, messages fail to decode.
impl<S, R> From<OwnedFd> for Connection<S, R> {
    fn from(fd: OwnedFd) -> Self {
        Self::new(fd.into())
    }
}

/// Gives the descriptor away; a duplicate of it if an encoded message still holds this end.
impl<S, R> TryFrom<Connection<S, R>> for OwnedFd {
    type Error = io::Error;

    fn try_from(connection: Connection<S, R>) -> io::Result<Self> {
        connection.socket.into_owned()
    }
}

impl<S, R> AsFd for Connection<S, R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl<S, R> AsRawFd for Connection<S, R> {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl<S, R> fmt::Debug for Connection<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("fd", &self.socket).finish()
    }
}
