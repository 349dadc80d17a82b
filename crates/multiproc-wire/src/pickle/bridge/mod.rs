//! Between objects and the types that serde knows.

mod serializer;
mod compound;
mod deserializer;
mod access;
mod object;
mod passage;

use serde::{Serialize, de::DeserializeOwned};

use self::{deserializer::ObjectDeserializer, serializer::ObjectSerializer};
use super::{Object, ObjectError, error::Fault, limits::MAX_DEPTH};

type Result<T> = std::result::Result<T, Fault>;

/// Turns a value into an object.
///
/// | Rust | Python |
/// |---|---|
/// | `()`, unit structs, `None` | `None` |
/// | `Some(x)`, newtype structs | as `x` |
/// | `bool`, integers, floats, `String` and `char` | `bool`, `int`, `float`, `str` |
/// | `Vec` and other sequences | `list`; `tuple` inside a key |
/// | tuples, arrays, tuple structs | `tuple` |
/// | maps; structs | `dict`; with the names of the fields as keys |
/// | what serialises as bytes | `bytes` |
/// | `Enum::Unit` | `'Unit'` |
/// | `Enum::Newtype(x)`, `Enum::Tuple(x, y)`, `Enum::Struct { a: x }` | `{'Newtype': x}`, `{'Tuple': (x, y)}`, `{'Struct': {'a': x}}` |
/// | [`Object`] | itself |
///
/// `Some(None)` is `None` and does not come back as it was. Types that have a form for humans, as
/// network addresses, take that.
///
/// # Python
///
/// No counterpart: any object can be pickled as it is.
///
/// # Errors
///
/// Returns [`ObjectError`] when the value's `Serialize` refuses, the value is nested more than 512
/// levels deep, or a key is a map or struct.
///
/// # Examples
///
/// ```
/// use std::collections::BTreeMap;
///
/// use multiproc_wire::pickle;
///
/// let value = (Some(1u64 << 63), BTreeMap::from([(vec!['a'], Ok::<_, ()>(0.5))]));
/// assert_eq!(
///     pickle::to_object(&value)?.to_string(),
///     "(9223372036854775808, {('a',): {'Ok': 0.5}})",
/// );
/// # Ok::<(), pickle::ObjectError>(())
/// ```
pub fn to_object<T: Serialize + ?Sized>(value: &T) -> std::result::Result<Object, ObjectError> {
    let serializer = ObjectSerializer { depth: MAX_DEPTH };
    value.serialize(serializer).map_err(|fault| ObjectError::of::<T>("make an object of", fault))
}

/// Turns an object into a value.
///
/// It takes whatever [`to_object`] makes, and also what Python is likely to send in its place:
///
/// - an `int` where a float is wanted;
/// - a `list`, `tuple`, `set`, `frozenset` or `bytes` for any sequence or tuple;
/// - a `bytearray` for `bytes`, and an `OrderedDict` for a `dict`;
/// - a sequence of the fields' values for a struct.
///
/// # Python
///
/// No counterpart: what was pickled comes back as it was.
///
/// # Errors
///
/// Returns [`ObjectError`] when the object is not what the type needs, or is nested more than 512
/// levels deep.
///
/// # Examples
///
/// ```
/// use multiproc_wire::pickle::{self, Object};
///
/// let object = Object::from((1, "x"));
/// assert_eq!(pickle::from_object::<(f32, String)>(object.clone())?, (1.0, "x".to_owned()));
///
/// let err = pickle::from_object::<(u8, u8)>(object).unwrap_err();
/// assert_eq!(err.kind().to_string(), "invalid type: string \"x\", expected u8");
/// # Ok::<(), pickle::ObjectError>(())
/// ```
pub fn from_object<T: DeserializeOwned>(object: Object) -> std::result::Result<T, ObjectError> {
    let deserializer = ObjectDeserializer { object, depth: MAX_DEPTH };
    T::deserialize(deserializer).map_err(|fault| ObjectError::of::<T>("turn an object into", fault))
}
