//! The untyped end: values to messages and back, over one of the two transports.
//!
//! **Invariant:** this file alone knows the transports; the public types only add the values' types
//! and the direction.

use std::{
    fmt, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    time::Duration,
};

use multiproc_sys::{packet, poll};
use multiproc_wire::{Handle, decode, encode_into};
use rustix::net::{SocketType, sockopt::socket_type};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, ser};

use crate::{
    RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError,
    bounds::{self, Bounds},
    buffers::Buffers,
    packet::Packet,
    patience::Patience,
    readiness::Readiness,
    stream::Stream,
};

/// One end: a socket, and the longest message that it takes.
pub(crate) struct Socket {
    // Before the transport, for it goes before the descriptor does.
    pub(crate) readiness: Readiness,
    pub(crate) transport: Transport,
    pub(crate) limit: u64,
}

pub(crate) enum Transport {
    /// Between the ends of a pipe.
    Packet(Packet),
    /// Between a listener's and a client's ends, which may be Python's.
    Stream(Box<Stream>),
}

impl Socket {
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = packet::pair()?;
        Ok((Self::packet(a.into()), Self::packet(b.into())))
    }

    fn new(transport: Transport, limit: u64) -> Self {
        Self { readiness: Readiness::default(), transport, limit }
    }

    fn packet(handle: Handle) -> Self {
        Self::new(Transport::Packet(Packet::new(handle)), u64::MAX)
    }

    pub(crate) fn stream(handle: Handle) -> Self {
        Self::new(Transport::Stream(Stream::new(handle).into()), bounds::DEFAULT)
    }

    pub(crate) fn with_limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    pub(crate) fn read_ahead(&self) {
        if let Transport::Stream(stream) = &self.transport {
            stream.read_ahead();
        }
    }

    pub(crate) fn into_owned(self) -> io::Result<OwnedFd> {
        match self.into_transport() {
            Transport::Packet(packet) => packet.into_handle().into_owned(),
            Transport::Stream(stream) => stream.into_handle()?.into_owned(),
        }
    }

    /// Ends what is registered, too, so that nothing else holds the descriptor.
    fn into_transport(self) -> Transport {
        self.transport
    }

    pub(crate) fn send<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), SendError> {
        self.encode(value, |bytes, fds| waited(self.transmit(bytes, fds, Patience::Endless)))
    }

    pub(crate) fn try_send<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), TrySendError> {
        self.encode(value, |bytes, fds| self.transmit(bytes, fds, Patience::None))
    }

    #[inline]
    pub(crate) fn send_bytes(&self, bytes: &[u8]) -> Result<(), SendError> {
        waited(self.transmit(bytes, &[], Patience::Endless))
    }

    /// Sends if there is room for at least the first byte at once.
    pub(crate) fn try_send_bytes(&self, bytes: &[u8]) -> Result<(), TrySendError> {
        self.transmit(bytes, &[], Patience::None)
    }

    pub(crate) fn recv<T: DeserializeOwned>(&self) -> Result<T, RecvError> {
        received(self.receive(self.bounds(), Patience::Endless, into_value))
    }

    pub(crate) fn try_recv<T: DeserializeOwned>(&self) -> Result<T, TryRecvError> {
        self.receive(self.bounds(), Patience::None, into_value)
    }

    pub(crate) fn recv_timeout<T: DeserializeOwned>(
        &self,
        timeout: Duration,
    ) -> Result<T, RecvTimeoutError> {
        Ok(self.receive(self.bounds(), Patience::lasting(timeout), into_value)?)
    }

    pub(crate) fn recv_bytes(&self) -> Result<Vec<u8>, RecvError> {
        received(self.receive(self.bounds(), Patience::Endless, into_bytes))
    }

    pub(crate) fn recv_bytes_max(&self, max: usize) -> Result<Vec<u8>, RecvError> {
        let bounds = Bounds::bytes(self.limit.min(max as u64));
        received(self.receive(bounds, Patience::Endless, into_bytes))
    }

    pub(crate) fn try_recv_bytes(&self) -> Result<Vec<u8>, TryRecvError> {
        self.receive(self.bounds(), Patience::None, into_bytes)
    }

    pub(crate) fn recv_bytes_timeout(
        &self,
        timeout: Duration,
    ) -> Result<Vec<u8>, RecvTimeoutError> {
        Ok(self.receive(self.bounds(), Patience::lasting(timeout), into_bytes)?)
    }

    /// Receives a message from one who has not shown yet who it is.
    pub(crate) fn recv_from_stranger(
        &self,
        max: u64,
        patience: Patience,
    ) -> Result<Vec<u8>, TryRecvError> {
        self.receive(Bounds::plain(max), patience, into_bytes)
    }

    #[inline]
    pub(crate) fn recv_bytes_into(&self, buffer: &mut [u8]) -> Result<usize, RecvError> {
        received(
            self.receive(self.bounds(), Patience::Endless, |buffers| into_slice(buffers, buffer)),
        )
    }

    pub(crate) fn poll(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let patience = timeout.map_or(Patience::Endless, Patience::lasting);
        match &self.transport {
            Transport::Packet(_) => poll::wait_readable(self.as_fd(), patience.deadline()),
            Transport::Stream(stream) => stream.poll(patience),
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        Bounds::bytes(self.limit)
    }

    fn encode<T: Serialize + ?Sized, E: From<SendError>>(
        &self,
        value: &T,
        send: impl FnOnce(&[u8], &[BorrowedFd<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        Buffers::lend(|Buffers { bytes, handles, .. }| {
            encode_into(value, bytes, handles).map_err(SendError::Encode)?;
            // Without handles this allocates nothing.
            let fds: Vec<_> = handles.iter().map(AsFd::as_fd).collect();
            send(bytes, &fds)
        })
    }

    #[inline]
    fn transmit(
        &self,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        patience: Patience,
    ) -> Result<(), TrySendError> {
        match &self.transport {
            Transport::Packet(packet) => packet.send(bytes, fds, patience),
            Transport::Stream(stream) => stream.send(bytes, fds, patience),
        }
    }

    #[inline]
    pub(crate) fn receive<T>(
        &self,
        bounds: Bounds,
        patience: Patience,
        then: impl FnOnce(&mut Buffers) -> Result<T, RecvError>,
    ) -> Result<T, TryRecvError> {
        Buffers::lend(|buffers| {
            match &self.transport {
                Transport::Packet(packet) => packet.recv(buffers, bounds, patience)?,
                Transport::Stream(stream) => stream.recv(buffers, bounds, patience)?,
            }
            Ok(then(buffers)?)
        })
    }
}

/// The outcome of a send that waits as long as it takes.
fn waited(result: Result<(), TrySendError>) -> Result<(), SendError> {
    result.map_err(|err| match err {
        TrySendError::Send(err) => err,
        TrySendError::Full => SendError::Io(io::ErrorKind::WouldBlock.into()),
    })
}

/// The outcome of a receive that waits as long as it takes.
pub(crate) fn received<T>(result: Result<T, TryRecvError>) -> Result<T, RecvError> {
    result.map_err(|err| match err {
        TryRecvError::Recv(err) => err,
        TryRecvError::Empty => RecvError::Io(io::ErrorKind::WouldBlock.into()),
    })
}

pub(crate) fn into_value<T: DeserializeOwned>(buffers: &mut Buffers) -> Result<T, RecvError> {
    let fds = std::mem::take(&mut buffers.fds);
    Ok(decode(buffers.message()?, fds)?)
}

/// Takes the message out; what is in the buffer is taken as it is if it is long, as on a stream.
pub(crate) fn into_bytes(buffers: &mut Buffers) -> Result<Vec<u8>, RecvError> {
    if buffers.file.is_none() && packet::INLINE < buffers.bytes.len() {
        return Ok(std::mem::take(&mut buffers.bytes));
    }
    buffers.take_message()
}

/// Copies the message to the front of `buffer`, or hands it back where it is too long.
pub(crate) fn into_slice(buffers: &mut Buffers, buffer: &mut [u8]) -> Result<usize, RecvError> {
    if let Some(length) = buffers.copy_message(buffer)? {
        return Ok(length);
    }
    let capacity = buffer.len();
    Err(RecvError::BufferTooShort { message: into_bytes(buffers)?, capacity })
}

/// Streams are framed as streams, everything else as packets.
impl From<OwnedFd> for Socket {
    fn from(fd: OwnedFd) -> Self {
        match socket_type(&fd) {
            Ok(SocketType::STREAM) => Self::stream(fd.into()),
            _ => Self::packet(fd.into()),
        }
    }
}

/// How an end travels: the descriptor, whether it is a stream, the limit.
type Form<H> = (H, bool, u64);

impl Serialize for Socket {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form: Form<&Handle> = match &self.transport {
            Transport::Packet(packet) => (packet.handle(), false, self.limit),
            Transport::Stream(stream) => {
                (stream.handle().map_err(ser::Error::custom)?, true, self.limit)
            }
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Socket {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (handle, is_stream, limit) = Form::<Handle>::deserialize(deserializer)?;
        let socket = if is_stream { Self::stream(handle) } else { Self::packet(handle) };
        Ok(socket.with_limit(limit))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.transport {
            Transport::Packet(packet) => packet.handle().as_fd(),
            Transport::Stream(stream) => stream.as_fd(),
        }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_raw_fd().fmt(f)
    }
}
