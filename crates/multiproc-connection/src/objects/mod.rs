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
        self.receive(bounds, patience, |buffers| into_object(buffers, bounds))
    }
}

/// Makes a value of the object that a message is.
pub(crate) fn into_object<T: DeserializeOwned>(
    buffers: &mut Buffers,
    bounds: Bounds,
) -> Result<T, RecvError> {
    let object = decode_with(buffers.message()?, limits(bounds))?;
    Ok(from_object(object)?)
}

/// Calls `send` with the pickle of a value.
fn pickled<T: Serialize + ?Sized, E: From<SendError>>(
    value: &T,
    send: impl FnOnce(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    Buffers::lend(|Buffers { bytes, .. }| {
        pickle(value, bytes)?;
        send(bytes)
    })
}

/// Writes the pickle of a value. While one waits for the other end, the value is not here twice.
pub(crate) fn pickle<T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
) -> Result<(), SendError> {
    let object = to_object(value).map_err(SendError::Pickle)?;
    // Python's own choice, which all versions that we speak with can read.
    encode_into(&object, Protocol::default(), bytes).map_err(SendError::Pickle)
}

/// What sharing may add to a message: no more than another message would.
fn limits(bounds: Bounds) -> Limits {
    let most = usize::try_from(bounds.bytes).unwrap_or(usize::MAX);
    let Limits { depth, nodes, bytes, globals } = Limits::DEFAULT;
    Limits { depth, nodes: nodes.min(most), bytes: bytes.min(most), globals }
}
