//! Messages that are Python objects: one message, one pickle.
//!
//! An end exists only once its two sides have proven what they had to, so nothing is ever unpickled
//! for somebody who still has to show a key.

mod connection;
mod receiver;
mod sender;

use std::time::Duration;

use multiproc_wire::pickle::{Limits, Protocol, decode_with, encode_into, from_object, to_object};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError,
    bounds::Bounds,
    buffers::Buffers,
    patience::Patience,
    socket::{Socket, received},
};

impl Socket {
    pub(crate) fn send_object<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), SendError> {
        pickled(value, |bytes| self.send_bytes(bytes))
    }

    pub(crate) fn try_send_object<T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> Result<(), TrySendError> {
        pickled(value, |bytes| self.try_send_bytes(bytes))
    }

    pub(crate) fn recv_object<T: DeserializeOwned>(&self) -> Result<T, RecvError> {
        received(self.receive_object(Patience::Endless))
    }

    pub(crate) fn try_recv_object<T: DeserializeOwned>(&self) -> Result<T, TryRecvError> {
        self.receive_object(Patience::None)
    }

    pub(crate) fn recv_object_timeout<T: DeserializeOwned>(
        &self,
        timeout: Duration,
    ) -> Result<T, RecvTimeoutError> {
        Ok(self.receive_object(Patience::lasting(timeout))?)
    }

    fn receive_object<T: DeserializeOwned>(&self, patience: Patience) -> Result<T, TryRecvError> {
        let bounds = self.bounds();
        self.receive(bounds, patience, |buffers| {
            let object = decode_with(&buffers.bytes, limits(bounds))?;
            Ok(from_object(object)?)
        })
    }
}

/// Calls `send` with the pickle of a value.
fn pickled<T: Serialize + ?Sized, E: From<SendError>>(
    value: &T,
    send: impl FnOnce(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    Buffers::lend(|Buffers { bytes, .. }| {
        let object = to_object(value).map_err(SendError::Pickle)?;
        // Python's own choice, which all versions that we speak with can read.
        encode_into(&object, Protocol::default(), bytes).map_err(SendError::Pickle)?;
        // While we wait for the other end, the value need not be here twice.
        drop(object);
        send(bytes)
    })
}

/// What sharing may add to a message: no more than another message would.
fn limits(bounds: Bounds) -> Limits {
    let most = usize::try_from(bounds.bytes).unwrap_or(usize::MAX);
    let Limits { depth, nodes, bytes, globals } = Limits::DEFAULT;
    Limits { depth, nodes: nodes.min(most), bytes: bytes.min(most), globals }
}
