//! What can go wrong between a value and its bytes.

use std::{any, fmt};

use serde::{de, ser};

/// An error returned from [`encode`](crate::encode) and its siblings.
///
/// # Python
///
/// `pickle.PicklingError`, or the `TypeError` and `AttributeError` that pickling raises.
///
/// # Examples
///
/// ```
/// use std::error::Error;
///
/// // A map or sequence has to know its length.
/// struct Endless;
/// impl serde::Serialize for Endless {
///     fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
///         serializer.collect_seq(std::iter::repeat_n(1, 5).filter(|n| *n == 1))
///     }
/// }
///
/// let err = multiproc_wire::encode(&Endless).unwrap_err();
/// assert!(err.to_string().ends_with("::Endless`"));
/// assert_eq!(err.source().unwrap().to_string(), "length of a sequence or map is not known in advance");
/// ```
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to encode a value of type `{type_name}`")]
pub struct EncodeError {
    type_name: &'static str,
    #[source]
    kind: Box<EncodeErrorKind>,
}

impl EncodeError {
    /// Returns what the encoder stumbled over.
    #[must_use]
    pub fn kind(&self) -> &EncodeErrorKind {
        &self.kind
    }

    /// Returns the name of the type that was to be encoded.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    pub(crate) fn new<T: ?Sized>(fault: EncodeFault) -> Self {
        Self { type_name: any::type_name::<T>(), kind: fault.0 }
    }
}

/// Why a value could not be encoded; see [`EncodeError::kind`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeErrorKind {
    /// More values stand inside each other than [`Limits::depth`](crate::Limits::depth) allows.
    ///
    /// Python raises `RecursionError`.
    #[error("value is nested more than {limit} levels deep")]
    TooDeep {
        /// The limit that was exceeded.
        limit: usize,
    },

    /// More elements that take no bytes than [`Limits::elements`](crate::Limits::elements) allows.
    ///
    /// Python has no such limit.
    #[error("value has more than {limit} elements for its size")]
    TooManyElements {
        /// The limit that was exceeded.
        limit: usize,
    },

    /// A sequence or map did not tell its length before its first element.
    ///
    /// Collect it first. Python has no such error.
    #[error("length of a sequence or map is not known in advance")]
    UnknownLength,

    /// The value's own `Serialize` refused, as a [`Handle`](crate::Handle) does outside a transfer.
    ///
    /// Python raises `PicklingError`, or what the object's `__reduce__` raises.
    #[error("{0}")]
    Custom(String),
}

/// An error returned from [`decode`](crate::decode) and its siblings.
///
/// # Python
///
/// `pickle.UnpicklingError`, `EOFError` and whatever else a broken pickle raises.
///
/// # Examples
///
/// ```
/// use std::error::Error;
///
/// let err = multiproc_wire::decode::<(u8, bool)>(&[1, 7], vec![]).unwrap_err();
/// assert_eq!(err.to_string(), "failed to decode a value of type `(u8, bool)` at byte 2");
/// assert_eq!(err.source().unwrap().to_string(), "invalid bool");
/// ```
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to decode a value of type `{type_name}` at byte {offset}")]
pub struct DecodeError {
    type_name: &'static str,
    offset: usize,
    #[source]
    kind: Box<DecodeErrorKind>,
}

impl DecodeError {
    /// Returns what the decoder stumbled over.
    #[must_use]
    pub fn kind(&self) -> &DecodeErrorKind {
        &self.kind
    }

    /// Returns the name of the type that was asked for.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// Returns the number of bytes that were read before the decoder gave up.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) fn new<T: ?Sized>(offset: usize, fault: DecodeFault) -> Self {
        Self { type_name: any::type_name::<T>(), offset, kind: fault.0 }
    }
}

/// Why bytes could not be decoded; see [`DecodeError::kind`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes end in the middle of a value, or claim a length beyond their end.
    ///
    /// Python raises `EOFError` or `UnpicklingError`.
    #[error("message ends in the middle of a value")]
    Truncated,

    /// Bytes are left over after the value.
    ///
    /// Python ignores them.
    #[error("{count} bytes are left over after the value")]
    TrailingBytes {
        /// How many.
        count: usize,
    },

    /// The bytes at this place are not what the type needs there.
    ///
    /// Python raises `UnpicklingError` or `UnicodeDecodeError`.
    #[error("invalid {what}")]
    Invalid {
        /// The kind of value that was expected.
        what: &'static str,
    },

    /// More values stand inside each other than [`Limits::depth`](crate::Limits::depth) allows.
    ///
    /// Python raises `RecursionError`.
    #[error("value is nested more than {limit} levels deep")]
    TooDeep {
        /// The limit that was exceeded.
        limit: usize,
    },

    /// The bytes claim more elements than [`Limits::elements`](crate::Limits::elements) allows.
    ///
    /// Python raises `MemoryError` at best.
    #[error("value has more than {limit} elements for its size")]
    TooManyElements {
        /// The limit that was exceeded.
        limit: usize,
    },

    /// The type asks the bytes what they are, which these cannot tell.
    ///
    /// `#[serde(flatten)]`, `#[serde(untagged)]`, internally tagged enums and dynamic values do so.
    /// Python's pickles describe themselves.
    #[error("type needs a self-describing format (flatten, untagged and tagged types do)")]
    NotSelfDescribing,

    /// The type's own `Deserialize` refused, as a [`Handle`](crate::Handle) without descriptor does.
    ///
    /// Python raises what the object's `__setstate__` raises.
    #[error("{0}")]
    Custom(String),
}

/// The error inside the encoder: one word, so that results stay in registers.
pub(crate) struct EncodeFault(Box<EncodeErrorKind>);

/// The error inside the decoder: one word, so that results stay in registers.
pub(crate) struct DecodeFault(Box<DecodeErrorKind>);

macro_rules! fault {
    ($fault:ident, $kind:ident, $trait:path) => {
        impl From<$kind> for $fault {
            #[cold]
            fn from(kind: $kind) -> Self {
                Self(Box::new(kind))
            }
        }

        impl $trait for $fault {
            #[cold]
            fn custom<T: fmt::Display>(text: T) -> Self {
                $kind::Custom(text.to_string()).into()
            }
        }

        impl fmt::Debug for $fault {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Display for $fault {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::error::Error for $fault {}
    };
}

fault!(EncodeFault, EncodeErrorKind, ser::Error);
fault!(DecodeFault, DecodeErrorKind, de::Error);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_small_and_cross_threads() {
        fn check<T: Send + Sync + 'static>() {}
        check::<EncodeError>();
        check::<DecodeError>();
        assert!(size_of::<EncodeError>() <= 32);
        assert!(size_of::<DecodeError>() <= 32);
    }
}
