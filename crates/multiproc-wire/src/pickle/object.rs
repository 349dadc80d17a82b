//! A Python value.

use super::{BigInt, Exception, Global, Instance};

/// A Python value: plain data, and inert images of the few other things that Python ends send.
///
/// An object holds no code and no references, so it can be looked at, changed, compared and sent on
/// without a Python in sight. `From` makes one from most plain values, [`to_object`] from
/// everything that serde knows, and [`from_object`] goes the other way.
///
/// [`Display`](std::fmt::Display) shows what Python's `repr` would. Objects are equal when Python
/// would have equal values *of equal types*: the order of dicts and sets does not count, but `1`,
/// `1.0` and `True` are three things.
///
/// An object is also serde's: inside a message it travels as a pickle, whatever the format around
/// it.
///
/// [`to_object`]: super::to_object
/// [`from_object`]: super::from_object
///
/// # Python
///
/// Any value that [`decode`](super::decode) understands.
///
/// # Examples
///
/// ```
/// use multiproc_wire::pickle::{self, Object, Protocol};
///
/// let object = Object::Dict(vec![
///     ("name".into(), "seven".into()),
///     (7.into(), Object::List(vec![1.5.into(), true.into(), Object::None])),
/// ]);
/// assert_eq!(object.to_string(), "{'name': 'seven', 7: [1.5, True, None]}");
///
/// let bytes = pickle::encode(&object, Protocol::default())?;
/// let copy = pickle::decode(&bytes)?;
/// assert_eq!(copy, object);
/// assert_eq!(copy.get("name").and_then(Object::as_str), Some("seven"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Object {
    /// `None`.
    #[default]
    None,
    /// `bool`.
    Bool(bool),
    /// An `int` that an `i64` can hold.
    Int(i64),
    /// An `int` that an `i64` cannot hold.
    ///
    /// A smaller number is accepted here, but comes back as [`Int`](Self::Int).
    BigInt(BigInt),
    /// `float`.
    Float(f64),
    /// `str`.
    Str(String),
    /// A `str` with lone surrogates, which no `String` can hold: undecodable file names, mostly.
    ///
    /// The bytes are UTF-8 with each surrogate written as three bytes, as the error handler
    /// `surrogatepass` does.
    Surrogates(Vec<u8>),
    /// `bytes`.
    Bytes(Vec<u8>),
    /// `bytearray`.
    ByteArray(Vec<u8>),
    /// `list`.
    List(Vec<Object>),
    /// `tuple`.
    Tuple(Vec<Object>),
    /// `dict`, its items in Python's order.
    ///
    /// Of a key that appears twice the last value counts, as it does when a pickle is loaded.
    Dict(Vec<(Object, Object)>),
    /// `set`, its members in no order that matters.
    Set(Vec<Object>),
    /// `frozenset`, its members in no order that matters.
    FrozenSet(Vec<Object>),
    /// An exception of a class that we know.
    Exception(Box<Exception>),
    /// A class or function, by its name.
    Global(Box<Global>),
    /// A value of a class that we know only by name.
    Instance(Box<Instance>),
}

impl Object {
    /// Makes an exception of the `builtins`.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_wire::pickle::Object;
    ///
    /// let exception = Object::exception("KeyError", ["x".into()]);
    /// assert_eq!(exception.to_string(), "KeyError('x')");
    /// ```
    #[must_use]
    pub fn exception(name: &str, args: impl Into<Vec<Object>>) -> Self {
        Exception::new(Global::new("builtins", name), args).into()
    }

    /// Makes a `multiprocessing.managers.Token`, the name of a shared object.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_wire::pickle::Object;
    ///
    /// let token = Object::token("list", "/tmp/socket", "7f6c");
    /// assert_eq!(token.to_string(), "Token(typeid='list', address='/tmp/socket', id='7f6c')");
    /// ```
    #[must_use]
    pub fn token(
        typeid: impl Into<Object>,
        address: impl Into<Object>,
        id: impl Into<Object>,
    ) -> Self {
        let mut token = Instance::new(Global::new("multiprocessing.managers", "Token"), []);
        token.state = Some(Self::Tuple(vec![typeid.into(), address.into(), id.into()]));
        token.into()
    }

    /// Returns the type id, address and id of a `multiprocessing.managers.Token`.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_wire::pickle::Object;
    ///
    /// let token = Object::token("list", "/tmp/socket", "7f6c");
    /// assert_eq!(token.as_token().unwrap()[1].as_str(), Some("/tmp/socket"));
    /// ```
    #[must_use]
    pub fn as_token(&self) -> Option<&[Object; 3]> {
        match self {
            Self::Instance(instance) if instance.class.is("multiprocessing.managers", "Token") => {
                instance.state.as_ref()?.as_tuple()?.try_into().ok()
            }
            _ => None,
        }
    }

    /// Returns whether this is `None`.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Returns the value of a `bool`.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the value of an `int` that an `i64` can hold.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::BigInt(value) => value.to_i64(),
            _ => None,
        }
    }

    /// Returns the value of a `float`.
    #[must_use]
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the text of a `str`.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the content of a `bytes` or `bytearray`.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) | Self::ByteArray(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the elements of a `list`.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Object]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the elements of a `tuple`.
    #[must_use]
    pub fn as_tuple(&self) -> Option<&[Object]> {
        match self {
            Self::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the items of a `dict`, or of a `collections.OrderedDict`.
    #[must_use]
    pub fn as_dict(&self) -> Option<&[(Object, Object)]> {
        match self {
            Self::Dict(items) => Some(items),
            Self::Instance(instance) if instance.class.is("collections", "OrderedDict") => {
                Some(&instance.pairs)
            }
            _ => None,
        }
    }

    /// Returns the exception, if this is one.
    #[must_use]
    pub fn as_exception(&self) -> Option<&Exception> {
        match self {
            Self::Exception(exception) => Some(exception),
            _ => None,
        }
    }

    /// Returns the value at this text in a `dict`, looking at every key.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_wire::pickle::Object;
    ///
    /// let dict = Object::Dict(vec![("a".into(), 1.into())]);
    /// assert_eq!(dict.get("a").and_then(Object::as_int), Some(1));
    /// assert_eq!(dict.get("b"), None);
    /// ```
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Object> {
        let items = self.as_dict()?;
        items.iter().rev().find(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value)
    }

    /// Returns the name of this value's type, without its module.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_wire::pickle::Object;
    ///
    /// assert_eq!(Object::from(1.5).type_name(), "float");
    /// assert_eq!(Object::exception("KeyError", []).type_name(), "KeyError");
    /// ```
    #[must_use]
    pub fn type_name(&self) -> &str {
        match self {
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::BigInt(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) | Self::Surrogates(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::ByteArray(_) => "bytearray",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::Set(_) => "set",
            Self::FrozenSet(_) => "frozenset",
            Self::Exception(exception) => &exception.class.name,
            Self::Global(_) => "type",
            Self::Instance(instance) => &instance.class.name,
        }
    }

    /// Returns the first value that keeps this one from being a key or member, if there is one.
    ///
    /// The members of a frozenset are not looked at again: each has been one already.
    pub(super) fn unhashable(&self) -> Option<&Object> {
        match self {
            Self::List(_) | Self::Dict(_) | Self::Set(_) | Self::ByteArray(_) => Some(self),
            Self::Tuple(items) => items.iter().find_map(Self::unhashable),
            Self::Instance(instance) if instance.class.is("collections", "OrderedDict") => {
                Some(self)
            }
            _ => None,
        }
    }
}
