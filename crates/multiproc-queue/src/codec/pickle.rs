//! Items that are Python objects.

use std::os::fd::OwnedFd;

use multiproc_wire::{
    Handle,
    pickle::{self, Protocol},
};
use serde::{Serialize, de::DeserializeOwned};

use super::Code;
use crate::CodecError;

/// Items that are pickles of plain data, such as [`Object`](multiproc_wire::pickle::Object)s whose type nobody has named
/// beforehand.
///
/// # Python
///
/// `pickle`, as the queues of Python itself have it; but the other end of such a queue is a Rust program, too.
///
/// # Examples
///
/// ```
/// use multiproc_queue::{Pickle, Queue};
/// use multiproc_wire::pickle::Object;
///
/// let q = Queue::<Object, Pickle>::new()?;
/// q.put(Object::from(7))?;
/// q.put(Object::from("seven"))?;
/// assert_eq!(q.get()?.as_int(), Some(7));
/// assert_eq!(q.get()?.as_str(), Some("seven"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Pickle {}

impl<T: Serialize + DeserializeOwned> Code<T> for Pickle {
    type Landing = Vec<u8>;

    const USES_BUFFER: bool = true;

    fn encode<R>(
        value: &T,
        buffer: &mut Vec<u8>,
        then: impl FnOnce(&[u8], &[Handle]) -> R,
    ) -> Result<R, CodecError> {
        let object = pickle::to_object(value).map_err(CodecError::new)?;
        buffer.clear();
        pickle::encode_into(&object, Protocol::default(), buffer).map_err(CodecError::new)?;
        Ok(then(buffer, &[]))
    }

    fn landing(buffer: Vec<u8>) -> Vec<u8> {
        buffer
    }

    fn finish(landing: Vec<u8>, fds: Vec<OwnedFd>, buffer: &mut Vec<u8>) -> Result<T, CodecError> {
        *buffer = landing;
        Self::decode(buffer, fds)
    }

    fn decode(bytes: &[u8], _: Vec<OwnedFd>) -> Result<T, CodecError> {
        pickle::decode(bytes)
            .map_err(CodecError::new)
            .and_then(|object| pickle::from_object(object).map_err(CodecError::new))
    }
}
