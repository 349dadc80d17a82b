//! Items that serde knows.

use std::os::fd::OwnedFd;

use multiproc_wire::Handle;
use serde::{Serialize, de::DeserializeOwned};

use super::Code;
use crate::CodecError;

/// Items of every type that serde can write and read, with descriptors, connections, locks and queues in them: the codec
/// where none is named.
///
/// # Python
///
/// `pickle`.
///
/// # Examples
///
/// ```
/// use multiproc_queue::Queue;
///
/// let q: Queue<(String, Option<f64>)> = Queue::new()?;
/// q.put(("pi".into(), Some(3.14)))?;
/// assert_eq!(q.get()?.0, "pi");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Postcard {}

impl<T: Serialize + DeserializeOwned> Code<T> for Postcard {
    type Landing = Vec<u8>;

    const USES_BUFFER: bool = true;

    #[inline]
    fn encode<R>(
        value: &T,
        buffer: &mut Vec<u8>,
        then: impl FnOnce(&[u8], &[Handle]) -> R,
    ) -> Result<R, CodecError> {
        let mut handles = Vec::new();
        buffer.clear();
        multiproc_wire::encode_into(value, buffer, &mut handles).map_err(CodecError::new)?;
        Ok(then(buffer, &handles))
    }

    #[inline]
    fn landing(buffer: Vec<u8>) -> Vec<u8> {
        buffer
    }

    #[inline]
    fn finish(landing: Vec<u8>, fds: Vec<OwnedFd>, buffer: &mut Vec<u8>) -> Result<T, CodecError> {
        *buffer = landing;
        Self::decode(buffer, fds)
    }

    #[inline]
    fn decode(bytes: &[u8], fds: Vec<OwnedFd>) -> Result<T, CodecError> {
        multiproc_wire::decode(bytes, fds).map_err(CodecError::new)
    }
}
