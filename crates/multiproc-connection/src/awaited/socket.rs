//! The untyped end, awaited.

use std::{
    future, io,
    os::fd::{AsFd, BorrowedFd},
};

use multiproc_sys::readiness::Side;
use multiproc_wire::{Message, encode};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    RecvError, SendError, TryRecvError,
    bounds::Bounds,
    buffers::Buffers,
    patience::Patience,
    readiness::Attempt,
    socket::{Socket, Transport, into_bytes, into_slice, into_value},
};

impl Socket {
    /// Encodes the value now and sends it when awaited, so that it is not needed meanwhile.
    pub(crate) fn send_async<'a, T: Serialize + ?Sized>(
        &'a self,
        value: &T,
    ) -> impl Future<Output = Result<(), SendError>> + Send + use<'a, T> {
        let message = encode(value);
        async move {
            let Message { bytes, handles } = message.map_err(SendError::Encode)?;
            let fds: Vec<_> = handles.iter().map(AsFd::as_fd).collect();
            self.transmit_async(&bytes, &fds).await
        }
    }

    pub(crate) async fn send_bytes_async(&self, bytes: &[u8]) -> Result<(), SendError> {
        self.transmit_async(bytes, &[]).await
    }

    pub(crate) async fn recv_async<T: DeserializeOwned>(&self) -> Result<T, RecvError> {
        self.receive_async(self.bounds(), into_value).await
    }

    pub(crate) async fn recv_bytes_async(&self) -> Result<Vec<u8>, RecvError> {
        self.receive_async(self.bounds(), into_bytes).await
    }

    pub(crate) async fn recv_bytes_max_async(&self, max: usize) -> Result<Vec<u8>, RecvError> {
        self.receive_async(Bounds::bytes(self.limit.min(max as u64)), into_bytes).await
    }

    pub(crate) async fn recv_bytes_into_async(
        &self,
        buffer: &mut [u8],
    ) -> Result<usize, RecvError> {
        self.receive_async(self.bounds(), |buffers| into_slice(buffers, buffer)).await
    }

    /// Receives a message from one who has not shown yet who it is.
    pub(crate) async fn recv_from_stranger_async(&self, max: u64) -> Result<Vec<u8>, RecvError> {
        self.receive_async(Bounds::plain(max), into_bytes).await
    }

    async fn transmit_async(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), SendError> {
        match &self.transport {
            Transport::Packet(packet) => {
                let handle = packet.handle();
                let (parcel, payload) = packet.parcel(bytes, fds)?;
                let attempt = || match parcel.try_send(handle.as_fd()) {
                    Err(err) if err.kind() == io::ErrorKind::WouldBlock => Attempt::Blocked,
                    result => Attempt::Done(result.map_err(SendError::from)),
                };
                let drive =
                    self.readiness.drive(handle, Side::Write, attempt, || future::ready(()));
                let result = drive.await?;
                drop(parcel);
                packet.keep(payload);
                result
            }
            Transport::Stream(stream) => {
                let mut number = None;
                let attempt = || stream.attempt_send(&mut number, bytes, fds);
                let freed = || stream.send_freed();
                let handle = stream.registered_handle();
                self.readiness.drive(handle, Side::Write, attempt, freed).await?
            }
        }
    }

    pub(super) async fn receive_async<T>(
        &self,
        bounds: Bounds,
        mut then: impl FnMut(&mut Buffers) -> Result<T, RecvError>,
    ) -> Result<T, RecvError> {
        match &self.transport {
            Transport::Packet(packet) => {
                let attempt = || {
                    Buffers::lend(|buffers| match packet.recv(buffers, bounds, Patience::None) {
                        Ok(()) => Attempt::Done(then(buffers)),
                        Err(TryRecvError::Empty) => Attempt::Blocked,
                        Err(TryRecvError::Recv(err)) => Attempt::Done(Err(err)),
                    })
                };
                let handle = packet.handle();
                self.readiness.drive(handle, Side::Read, attempt, || future::ready(())).await?
            }
            Transport::Stream(stream) => {
                let mut awaiting = None;
                let mut attempt = || {
                    Buffers::lend(|buffers| {
                        match stream.attempt_recv(&mut awaiting, buffers, bounds) {
                            Attempt::Done(result) => {
                                Attempt::Done(result.and_then(|()| then(buffers)))
                            }
                            Attempt::Last(result) => {
                                Attempt::Last(result.and_then(|()| then(buffers)))
                            }
                            Attempt::Blocked => Attempt::Blocked,
                            Attempt::Busy => Attempt::Busy,
                        }
                    })
                };
                if stream.is_ahead()
                    && let Attempt::Done(result) | Attempt::Last(result) = attempt()
                {
                    return result;
                }
                let freed = || stream.recv_freed();
                let handle = stream.registered_handle();
                self.readiness.drive(handle, Side::Read, attempt, freed).await?
            }
        }
    }
}
