//! What a codec does; not for implementors outside.

use std::os::fd::OwnedFd;

use multiproc_wire::Handle;

use super::Landing;
use crate::CodecError;

/// Turns items of type `T` into bytes and back.
///
/// The codecs are [`Postcard`](crate::Postcard), [`Plain`](crate::Plain), [`PlainVec`](crate::PlainVec) and `Pickle`.
pub trait Code<T>: 'static {
    /// Where the bytes of an item land.
    type Landing: Landing;

    /// True if the buffers that are handed in are of use.
    const USES_BUFFER: bool;

    /// Calls `then` with the bytes and handles of the item.
    ///
    /// # Errors
    ///
    /// Where it cannot be turned into bytes.
    fn encode<R>(
        value: &T,
        buffer: &mut Vec<u8>,
        then: impl FnOnce(&[u8], &[Handle]) -> R,
    ) -> Result<R, CodecError>;

    /// A place for the bytes of an item, made of `buffer` if it is of use.
    fn landing(buffer: Vec<u8>) -> Self::Landing;

    /// Makes the item of what has landed; `buffer` gets back what was of use.
    ///
    /// # Errors
    ///
    /// Where it is no such item.
    fn finish(
        landing: Self::Landing,
        fds: Vec<OwnedFd>,
        buffer: &mut Vec<u8>,
    ) -> Result<T, CodecError>;

    /// Makes the item of bytes that came in a file.
    ///
    /// # Errors
    ///
    /// Where they are no such item.
    fn decode(bytes: &[u8], fds: Vec<OwnedFd>) -> Result<T, CodecError>;
}
