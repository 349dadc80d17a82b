//! Values of which there are many: what many small ones have in common is done once.

use std::os::fd::OwnedFd;

use serde::de::DeserializeOwned;

use crate::{DecodeError, Limits, de::Decoder, transfer::Reading};

/// Reads values that [`encode_into`](crate::encode_into) has appended one after the other, and calls `each` with every
/// one; the bytes of each come from `items`.
///
/// One that does not decode costs none of the others. Descriptors that none has claimed are closed. `each` must not
/// read or write messages with handles itself.
///
/// # Examples
///
/// ```
/// let (mut bytes, mut handles) = (Vec::new(), Vec::new());
/// multiproc_wire::encode_into("one", &mut bytes, &mut handles)?;
/// let first = bytes.len();
/// multiproc_wire::encode_into("two", &mut bytes, &mut handles)?;
///
/// let mut words = Vec::<String>::new();
/// let (one, two) = bytes.split_at(first);
/// multiproc_wire::decode_items([one, two], vec![], |word| words.extend(word.ok()));
/// assert_eq!(words, ["one", "two"]);
/// # Ok::<(), multiproc_wire::EncodeError>(())
/// ```
pub fn decode_items<'a, T: DeserializeOwned>(
    items: impl IntoIterator<Item = &'a [u8]>,
    fds: Vec<OwnedFd>,
    mut each: impl FnMut(Result<T, DecodeError>),
) {
    let _transfer = Reading::begin(fds);
    items.into_iter().for_each(|bytes| each(decode_plain(bytes)));
}

/// Reads a value that holds no handles: as [`decode`](crate::decode) without descriptors, at less cost.
///
/// # Errors
///
/// As there. A handle is an error.
///
/// # Examples
///
/// ```
/// assert_eq!(multiproc_wire::decode_plain::<String>(b"\x02hi")?, "hi");
/// # Ok::<(), multiproc_wire::DecodeError>(())
/// ```
#[inline]
pub fn decode_plain<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut decoder = Decoder::new(bytes, Limits::DEFAULT);
    let value = T::deserialize(&mut decoder);
    let value = value.and_then(|value| decoder.finish().map(|()| value));
    value.map_err(|fault| DecodeError::new::<T>(decoder.offset(), fault))
}
