//! Requests and replies, as CPython's managers have them.

use multiproc_wire::pickle::{Exception, Object, ObjectError, Protocol, encode_into};

use crate::{
    Args,
    values::{KIND, LongFile, is_long},
};

/// One request: `(ident, method, args, kwargs)`.
#[derive(Debug)]
pub(super) struct Request {
    /// The id of the object, or none: the server itself.
    pub(super) ident: Option<String>,
    pub(super) method: String,
    pub(super) args: Args,
}

impl Request {
    /// Returns whether the client refers to an object from now on.
    pub(super) fn is_incref(&self) -> bool {
        self.ident.is_none() && self.method == "incref"
    }

    /// Reads a request.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub(super) fn of(object: Object) -> Result<Self, String> {
        let parts: Result<[Object; 4], _> = match object {
            Object::Tuple(parts) | Object::List(parts) => parts.try_into(),
            other => return Err(format!("request is a {}", other.type_name())),
        };
        let [ident, method, args, kwargs] =
            parts.map_err(|parts| format!("request has {} parts", parts.len()))?;
        let ident = match ident {
            Object::None => None,
            Object::Str(ident) => Some(ident),
            other => return Err(format!("id is a {}", other.type_name())),
        };
        let Object::Str(method) = method else {
            return Err(format!("method is a {}", method.type_name()));
        };
        let (Object::Tuple(args) | Object::List(args)) = args else {
            return Err(format!("arguments are a {}", args.type_name()));
        };
        let Object::Dict(kwargs) = kwargs else {
            return Err(format!("keyword arguments are a {}", kwargs.type_name()));
        };
        let named = kwargs.into_iter().map(|(name, value)| match name {
            Object::Str(name) => Ok((name, value)),
            other => Err(format!("name of an argument is a {}", other.type_name())),
        });
        let args = Args::new(args, named.collect::<Result<Vec<_>, _>>()?);
        Ok(Self { ident, method, args })
    }
}

/// One reply: `(kind, result)`.
#[derive(Debug)]
pub(super) enum Message {
    Return(Object),
    /// What is told of the file that follows.
    File(Object, LongFile),
    /// A proxy is to be made of this: `(exposed, token)`.
    Proxy(Object),
    /// The method has raised this.
    Error(Exception),
    /// The call did not get as far.
    Traceback(String),
}

impl Message {
    /// An error of the server's own, with the class that CPython's would show.
    pub(super) fn fault(class: &str, text: &str) -> Self {
        Self::Traceback(format!("{class}: {text}\n"))
    }

    pub(super) fn raised(exception: &Exception) -> Self {
        Self::Traceback(format!("{}: {}\n", exception.class.name, text(exception)))
    }

    /// Returns whether it takes its time to write.
    pub(super) fn is_long(&self) -> bool {
        match self {
            Self::Return(value) => is_long(value),
            Self::Error(exception) => exception.args.iter().any(is_long),
            Self::Traceback(_) | Self::File(..) | Self::Proxy(_) => false,
        }
    }

    pub(super) fn into_object(self) -> Object {
        let (kind, result) = match self {
            Self::Return(value) => ("#RETURN", value),
            Self::File(told, _) => (KIND, told),
            Self::Proxy(parts) => ("#PROXY", parts),
            Self::Error(exception) => ("#ERROR", exception.into()),
            Self::Traceback(text) => ("#TRACEBACK", text.into()),
        };
        Object::Tuple(vec![kind.into(), result])
    }

    /// Writes the reply, or in its place that it cannot be written.
    pub(super) fn write(self, bytes: &mut Vec<u8>) -> Result<(), ObjectError> {
        bytes.clear();
        encode_into(&self.into_object(), Protocol::default(), bytes).or_else(|err| {
            let text = format!("{}\n", crate::error::chain(&err));
            let reply = Object::Tuple(vec!["#UNSERIALIZABLE".into(), text.into()]);
            encode_into(&reply, Protocol::default(), bytes)
        })
    }
}

/// What Python's `str` makes of an exception.
fn text(exception: &Exception) -> String {
    match &exception.args[..] {
        [] => String::new(),
        // As in Python, where a key could be anything and is shown as what it is.
        [Object::Str(text)] if exception.class.name != "KeyError" => text.clone(),
        [arg] => arg.to_string(),
        args => Object::Tuple(args.to_vec()).to_string(),
    }
}
