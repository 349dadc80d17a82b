//! From a value to a message and back.

use std::{io, os::fd::OwnedFd};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    DecodeError, DecodeErrorKind, EncodeError, Handle, Limits, byte_buf,
    de::Decoder,
    ser::Encoder,
    transfer::{Reading, Writing},
};

/// An encoded value: its bytes and the handles that go beside them.
///
/// A message can be sent inside another. The outer one can then be read, forwarded or dropped by
/// someone who does not know the inner type, or to whom it does not decode.
///
/// # If a process dies
///
/// A message holds its handles open, so they live on without the process that made them.
///
/// # Python
///
/// A `ForkingPickler` dump, which carries no handles.
///
/// # Examples
///
/// ```
/// use multiproc_wire::Message;
///
/// let inner = multiproc_wire::encode("payload")?;
/// let frame = multiproc_wire::encode(&(17u64, inner))?;
///
/// let (id, inner): (u64, Message) = frame.decode()?;
/// assert_eq!(id, 17);
/// assert_eq!(inner.decode::<String>()?, "payload");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Message {
    /// The value, in postcard's format.
    #[serde(with = "byte_buf")]
    pub bytes: Vec<u8>,
    /// The handles that the bytes refer to, by their place in this list.
    pub handles: Vec<Handle>,
}

impl Message {
    /// Returns the value.
    ///
    /// # Errors
    ///
    /// As [`decode`]; also when a handle is shared and no duplicate of it can be made.
    ///
    /// # Examples
    ///
    /// ```
    /// let message = multiproc_wire::encode(&[1u8, 2, 3])?;
    /// assert_eq!(message.decode::<[u8; 3]>()?, [1, 2, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decode<T: DeserializeOwned>(self) -> Result<T, DecodeError> {
        let fds = self.handles.into_iter().map(Handle::into_owned).collect::<Result<_, _>>();
        let fds = fds.map_err(|err| {
            let text = format!("failed to duplicate a handle: {err}");
            DecodeError::new::<T>(0, DecodeErrorKind::Custom(text).into())
        })?;
        decode(&self.bytes, fds)
    }
}

/// Writes a value into a new message.
///
/// # Errors
///
/// Returns [`EncodeError`] when the value's `Serialize` refuses, a length is not known in advance,
/// or the value goes beyond the [`Limits`].
///
/// # Examples
///
/// ```
/// let message = multiproc_wire::encode(&Some("x"))?;
/// assert_eq!(message.bytes, [1, 1, b'x']);
/// # Ok::<(), multiproc_wire::EncodeError>(())
/// ```
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Message, EncodeError> {
    let mut message = Message::default();
    encode_into(value, &mut message.bytes, &mut message.handles)?;
    Ok(message)
}

/// Writes a value behind what the buffers hold, reusing their capacity.
///
/// Indices count from the start of `handles`, so values appended one after the other decode
/// together, as a tuple.
///
/// # Errors
///
/// As [`encode`]. Both buffers are then as they were.
///
/// # Examples
///
/// ```
/// let (mut bytes, mut handles) = (Vec::new(), Vec::new());
/// multiproc_wire::encode_into(&1u8, &mut bytes, &mut handles)?;
/// multiproc_wire::encode_into("one", &mut bytes, &mut handles)?;
///
/// let (number, name): (u8, String) = multiproc_wire::decode(&bytes, vec![])?;
/// assert_eq!((number, name.as_str()), (1, "one"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn encode_into<T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
    handles: &mut Vec<Handle>,
) -> Result<(), EncodeError> {
    encode_into_with(value, bytes, handles, Limits::DEFAULT)
}

/// Writes a value within limits of the caller's choice; else like [`encode_into`].
///
/// # Errors
///
/// As [`encode_into`].
///
/// # Examples
///
/// ```
/// use multiproc_wire::{EncodeErrorKind, Limits};
///
/// let (mut bytes, mut handles) = (Vec::new(), Vec::new());
/// let limits = Limits { elements: 10, ..Limits::DEFAULT };
/// let err = multiproc_wire::encode_into_with(&vec![(); 100], &mut bytes, &mut handles, limits).unwrap_err();
/// assert_eq!(*err.kind(), EncodeErrorKind::TooManyElements { limit: 18 });
/// assert!(bytes.is_empty());
/// ```
pub fn encode_into_with<T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
    handles: &mut Vec<Handle>,
    limits: Limits,
) -> Result<(), EncodeError> {
    let mut transfer = Writing::begin(handles);
    let mut encoder = Encoder::new(bytes, limits);
    let result = value.serialize(&mut encoder).and_then(|()| encoder.finish());
    result.map_err(EncodeError::new::<T>)?;
    transfer.commit();
    Ok(())
}

/// As [`encode_into`], but a value with strings or byte arrays of a mebibyte and more goes to `spill`, piece by piece in
/// its order, where it need not be copied first; then `bytes` is as it was. Returns whether it went there.
///
/// # Errors
///
/// As [`encode_into`]; and what `spill` reports. What went there is then to be thrown away.
///
/// # Examples
///
/// ```
/// let (mut bytes, mut handles, mut file) = (Vec::new(), Vec::new(), Vec::new());
/// let long = "x".repeat(2 << 20);
/// let mut spill = |piece: &[u8]| Ok(file.extend_from_slice(piece));
/// assert!(multiproc_wire::encode_spilling(&(7u8, &long), &mut bytes, &mut handles, &mut spill)?);
/// assert!(bytes.is_empty());
/// assert_eq!(multiproc_wire::decode::<(u8, String)>(&file, vec![])?, (7, long));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline]
pub fn encode_spilling<'a, T: Serialize + ?Sized>(
    value: &T,
    bytes: &'a mut Vec<u8>,
    handles: &mut Vec<Handle>,
    spill: &'a mut (dyn FnMut(&[u8]) -> io::Result<()> + 'a),
) -> Result<bool, EncodeError> {
    let mut transfer = Writing::begin(handles);
    let mut encoder = Encoder::new(bytes, Limits::DEFAULT).spilling(spill);
    let result = value.serialize(&mut encoder).and_then(|()| encoder.finish_spilling());
    let is_spilled = result.map_err(EncodeError::new::<T>)?;
    transfer.commit();
    Ok(is_spilled)
}

/// Reads a value from bytes and the descriptors that came with them.
///
/// Descriptors that the value does not claim are closed.
///
/// # Errors
///
/// Returns [`DecodeError`] when the bytes are not a `T`, are too few or too many, refer to a
/// descriptor that is not there, or go beyond the [`Limits`]. The descriptors are closed.
///
/// # Examples
///
/// ```
/// use multiproc_wire::DecodeErrorKind;
///
/// assert_eq!(multiproc_wire::decode::<String>(b"\x02hi", vec![])?, "hi");
///
/// let err = multiproc_wire::decode::<String>(b"\x03hi", vec![]).unwrap_err();
/// assert_eq!(*err.kind(), DecodeErrorKind::Truncated);
/// # Ok::<(), multiproc_wire::DecodeError>(())
/// ```
pub fn decode<T: DeserializeOwned>(bytes: &[u8], fds: Vec<OwnedFd>) -> Result<T, DecodeError> {
    decode_with(bytes, fds, Limits::DEFAULT)
}

/// Reads a value within limits of the caller's choice; else like [`decode`].
///
/// # Errors
///
/// As [`decode`].
///
/// # Examples
///
/// ```
/// use multiproc_wire::Limits;
///
/// let limits = Limits { depth: 2, elements: 0 };
/// assert_eq!(multiproc_wire::decode_with::<Vec<u8>>(&[1, 7], vec![], limits)?, [7]);
/// # Ok::<(), multiproc_wire::DecodeError>(())
/// ```
pub fn decode_with<T: DeserializeOwned>(
    bytes: &[u8],
    fds: Vec<OwnedFd>,
    limits: Limits,
) -> Result<T, DecodeError> {
    let _transfer = Reading::begin(fds);
    let mut decoder = Decoder::new(bytes, limits);
    let result = T::deserialize(&mut decoder).and_then(|value| decoder.finish().map(|()| value));
    result.map_err(|fault| DecodeError::new::<T>(decoder.offset(), fault))
}
