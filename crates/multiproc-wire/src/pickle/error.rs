//! What can go wrong between bytes, objects and values.

use std::{any, fmt};

use serde::{de, ser};

/// An error returned from [`decode`](super::decode) and [`decode_with`](super::decode_with).
///
/// # Python
///
/// `pickle.UnpicklingError`, and whatever else a broken pickle raises.
///
/// # Examples
///
/// ```
/// use std::error::Error;
///
/// let err = multiproc_wire::pickle::decode(b"]P7\n.").unwrap_err();
/// assert_eq!(err.to_string(), "failed to read a pickle at byte 1");
/// assert_eq!(err.source().unwrap().to_string(), "persistent ids are not supported");
/// ```
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read a pickle at byte {offset}")]
pub struct PickleError {
    offset: usize,
    #[source]
    kind: Box<PickleErrorKind>,
}

impl PickleError {
    #[cold]
    pub(super) fn new(offset: usize, kind: PickleErrorKind) -> Self {
        Self { offset, kind: Box::new(kind) }
    }

    /// Returns what the reader stumbled over.
    #[must_use]
    pub fn kind(&self) -> &PickleErrorKind {
        &self.kind
    }

    /// Returns the place of the opcode that could not be followed, in bytes from the start.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }
}

/// Why a pickle could not be read; see [`PickleError::kind`].
///
/// Python raises `UnpicklingError` for most of them, and other errors where that is noted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PickleErrorKind {
    /// The bytes end before the pickle does, or claim a length beyond their end.
    ///
    /// Python raises `EOFError` or `UnpicklingError`.
    #[error("pickle ends before its end")]
    Truncated,

    /// Bytes are left over after the pickle.
    ///
    /// Python ignores them.
    #[error("{count} bytes are left over after the pickle")]
    TrailingBytes {
        /// How many.
        count: usize,
    },

    /// A byte stands where an opcode should, and is none.
    #[error("unknown opcode {opcode:#04x}")]
    UnknownOpcode {
        /// The byte.
        opcode: u8,
    },

    /// The pickle uses what this reader has no place for.
    #[error("{what} are not supported")]
    Unsupported {
        /// What it uses, as `persistent ids`.
        what: &'static str,
    },

    /// The bytes behind an opcode are not what it needs.
    ///
    /// Python raises `ValueError` or `UnicodeDecodeError`.
    #[error("invalid {what}")]
    Invalid {
        /// What was expected.
        what: &'static str,
    },

    /// An opcode needs more values than there are, or leaves more than one at the end.
    #[error("{what}")]
    Stack {
        /// What is wrong.
        what: &'static str,
    },

    /// A value is wanted from the memo that was never put there.
    #[error("memo has no value {index}")]
    NoSuchMemo {
        /// The number of the value.
        index: u32,
    },

    /// An opcode is used on a value of the wrong type.
    ///
    /// Python raises `TypeError` or `AttributeError`.
    #[error("{what}")]
    WrongType {
        /// What was used on what.
        what: &'static str,
    },

    /// The pickle names, or calls, a class or function that the [`Limits`](super::Limits) leave out.
    ///
    /// Python raises what its `find_class` does.
    #[error("global `{module}.{name}` is not one that may be {verb}")]
    Global {
        /// The module.
        module: String,
        /// The name in it.
        name: String,
        /// What was to happen to it: `read` or `called like this`.
        verb: &'static str,
    },

    /// A key of a dict or member of a set is a list, dict, set or bytearray, or holds one.
    ///
    /// Python raises `TypeError`.
    #[error("unhashable type: '{type_name}'")]
    Unhashable {
        /// The type that cannot be hashed.
        type_name: String,
    },

    /// A value contains itself.
    ///
    /// Python makes such values.
    #[error("value contains itself")]
    Recursive,

    /// More containers stand inside each other than [`Limits::depth`](super::Limits::depth) allows.
    ///
    /// Python makes such values, but may fail to write them, with `RecursionError`.
    #[error("value is nested more than {limit} levels deep")]
    TooDeep {
        /// The limit that was exceeded.
        limit: usize,
    },

    /// There are more values than [`Limits::nodes`](super::Limits::nodes) allows.
    ///
    /// Python has no such limit.
    #[error("pickle has more than {limit} values for its size")]
    TooManyNodes {
        /// The limit that was exceeded.
        limit: usize,
    },

    /// There is more text than [`Limits::bytes`](super::Limits::bytes) allows.
    ///
    /// Python has no such limit.
    #[error("pickle has more than {limit} bytes of text for its size")]
    TooManyBytes {
        /// The limit that was exceeded.
        limit: usize,
    },
}

/// An error returned from [`encode`](super::encode), [`to_object`](super::to_object) and
/// [`from_object`](super::from_object).
///
/// # Python
///
/// `pickle.PicklingError`, or the `TypeError` and `RecursionError` that pickling raises.
///
/// # Examples
///
/// ```
/// use multiproc_wire::pickle::{self, Object};
///
/// let err = pickle::from_object::<u8>(Object::from(300)).unwrap_err();
/// assert_eq!(err.to_string(), "failed to turn an object into `u8`");
/// assert_eq!(err.kind().to_string(), "invalid value: integer `300`, expected u8");
/// ```
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to {action}")]
pub struct ObjectError {
    action: String,
    #[source]
    kind: Box<ObjectErrorKind>,
}

impl ObjectError {
    #[cold]
    pub(super) fn new(action: &str, fault: Fault) -> Self {
        Self { action: action.to_owned(), kind: fault.0 }
    }

    #[cold]
    pub(super) fn of<T: ?Sized>(action: &str, fault: Fault) -> Self {
        Self { action: format!("{action} `{}`", any::type_name::<T>()), kind: fault.0 }
    }

    /// Returns what stood in the way.
    #[must_use]
    pub fn kind(&self) -> &ObjectErrorKind {
        &self.kind
    }
}

/// Why an object could not be written, made or used; see [`ObjectError::kind`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectErrorKind {
    /// More than 512 containers stand inside each other.
    ///
    /// Python raises `RecursionError`.
    #[error("value is nested more than {limit} levels deep")]
    TooDeep {
        /// The limit that was exceeded.
        limit: usize,
    },

    /// A key of a dict or member of a set is a list, dict, set or bytearray, or holds one.
    ///
    /// Python raises `TypeError`.
    #[error("unhashable type: '{type_name}'")]
    Unhashable {
        /// The type that cannot be hashed.
        type_name: String,
    },

    /// The chosen [`Protocol`](super::Protocol) has no way to write this value.
    ///
    /// Python raises `OverflowError` or `PicklingError`.
    #[error("protocol {protocol} cannot write {what}")]
    Protocol {
        /// The number of the protocol.
        protocol: u8,
        /// What it cannot write.
        what: &'static str,
    },

    /// The bytes of an [`Object::Surrogates`](super::Object::Surrogates) are not text.
    ///
    /// Python has no such values.
    #[error("invalid text")]
    InvalidText,

    /// The type's own `Serialize` or `Deserialize` refused: mostly, the object is of another type.
    ///
    /// Python raises `TypeError`.
    #[error("{0}")]
    Custom(String),
}

/// The error inside writer and bridge: one word, so that results stay in registers.
pub(super) struct Fault(Box<ObjectErrorKind>);

impl From<ObjectErrorKind> for Fault {
    #[cold]
    fn from(kind: ObjectErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

impl From<ObjectError> for Fault {
    fn from(error: ObjectError) -> Self {
        Self(error.kind)
    }
}

impl ser::Error for Fault {
    fn custom<T: fmt::Display>(text: T) -> Self {
        ObjectErrorKind::Custom(text.to_string()).into()
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(text: T) -> Self {
        ObjectErrorKind::Custom(text.to_string()).into()
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Fault {}
