//! The proxy of any shared object.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use multiproc_connection::Address;
use multiproc_image::renewed::Renewed;
use multiproc_wire::pickle::{Object, from_object};
use serde::{Serialize, de::DeserializeOwned};

use super::{arguments, object};
use crate::{
    CallError,
    client::{Endpoint, Reference, Reply, Session, within},
};

/// A proxy of a shared object, whose methods are called by name.
///
/// Clones share one reference. Threads may share a proxy: each has a connection of its own. To other
/// processes it goes as an argument, in a message, or as a value in another shared object; there it
/// refers to the same object. The child of a fork takes a reference of its own when it first uses
/// one.
///
/// The server drops an object when nobody refers to it any more. A proxy that is sent over a pipe, or
/// as an argument, refers to it on its way as well; with TLS as long as the process lives that has sent it. Over a TCP
/// stream, or from a server of CPython's, it does not, as in Python: keep a proxy until the other end has its own.
///
/// A call that fails since the connection is lost is not made again, for the server may have made it;
/// the next call connects anew. What a lost session referred to may be gone then.
///
/// # If a process dies
///
/// When the server does, calls are errors, those that wait too. When the client does, the server
/// drops its references and frees its locks.
///
/// # Python
///
/// `multiprocessing.managers.BaseProxy`. `call_method` is `_callmethod`, `get_value` is `_getvalue`.
///
/// # Examples
///
/// ```
/// # multiproc_image::entry::init();
/// let manager = multiproc_managers::Manager::start()?;
/// let list = manager.create("list", (vec![1, 2, 3],))?;
/// list.call_method("append", (4,))?;
/// assert_eq!(list.call::<_, usize>("__len__", ())?, 4);
/// assert_eq!(list.to_string(), "[1, 2, 3, 4]");
/// assert!(format!("{list:?}").starts_with("<ListProxy object, typeid 'list' at 0x"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    typeid: String,
    ident: String,
    exposed: Vec<String>,
    /// Empty until a forked child uses it.
    reference: Renewed<OnceLock<Reference>>,
}

impl Proxy {
    /// Makes a proxy of a reference that the server has counted.
    pub(crate) fn adopt(
        endpoint: Endpoint,
        typeid: impl Into<String>,
        ident: &str,
        exposed: Vec<String>,
        reference: Reference,
    ) -> Self {
        let reference = Renewed::new(OnceLock::from(reference));
        let (typeid, ident) = (typeid.into(), ident.to_owned());
        Self(Arc::new(Inner { endpoint, typeid, ident, exposed, reference }))
    }

    /// Makes a proxy of what the server says of a new one: `(exposed, token)`.
    pub(super) fn of_parts(session: &Arc<Session>, parts: &Object) -> Result<Self, CallError> {
        let [exposed, token] = parts.as_tuple().unwrap_or_default() else {
            return Err(CallError::Malformed);
        };
        let Some([typeid, _, ident]) = token.as_token() else { return Err(CallError::Malformed) };
        let ident = ident.as_str().ok_or(CallError::Malformed)?;
        let reference = Reference::adopt(session.clone(), ident);
        let typeid = typeid.as_str().ok_or(CallError::Malformed)?;
        Ok(Self::adopt(session.endpoint.clone(), typeid, ident, names(exposed), reference))
    }

    /// Calls a method and returns what it returned.
    ///
    /// The arguments are a tuple, `(x,)` for one, `()` for none. What proxies in the result refer to is
    /// there until this thread makes its next call: ask by [`call`](Self::call) for what has `Proxy`s in it, or make
    /// them by [`from_object`](Self::from_object) first. Of a method that returns a shared object ask by `call`.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn call_method(&self, method: &str, args: impl Serialize) -> Result<Object, CallError> {
        self.request(method, arguments(&args)?, vec![])
    }

    /// Calls a method with keyword arguments too, the fields of a struct or the items of a map.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn call_method_with(
        &self,
        method: &str,
        args: impl Serialize,
        kwargs: impl Serialize,
    ) -> Result<Object, CallError> {
        let kwargs = match object(&kwargs)? {
            Object::Dict(pairs) => pairs,
            _ => vec![],
        };
        self.request(method, arguments(&args)?, kwargs)
    }

    /// Calls a method and returns what it returned as a value, or as a proxy if it returned one.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn call<A: Serialize, R: DeserializeOwned>(
        &self,
        method: &str,
        args: A,
    ) -> Result<R, CallError> {
        let session = self.session()?;
        match session.call(Some(&self.0.ident), method, arguments(&args)?, vec![])? {
            Reply::Value(value) => self.read(value),
            Reply::Proxy(parts) => {
                // Until the value refers to the object, this does.
                let proxy = Self::of_parts(&session, &parts)?;
                self.read(proxy.clone().into_object())
            }
        }
    }

    /// Returns a copy of the object.
    ///
    /// # Errors
    ///
    /// [`CallError::Remote`] when it cannot be copied, or another [`CallError`].
    pub fn get_value<R: DeserializeOwned>(&self) -> Result<R, CallError> {
        self.call("#GETVALUE", ())
    }

    /// The name of the object's type.
    #[must_use]
    pub fn typeid(&self) -> &str {
        &self.0.typeid
    }

    /// The object's name in its server.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.ident
    }

    /// Where the server is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.0.endpoint.address
    }

    /// The methods that may be called, in order, if the server has told: those of a proxy that was
    /// received may be unknown.
    #[must_use]
    pub fn exposed(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.0.exposed.iter().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Returns whether both refer to the same object.
    #[must_use]
    pub fn is_same(&self, other: &Proxy) -> bool {
        self.0.ident == other.0.ident && self.0.endpoint.address == other.0.endpoint.address
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    pub(super) fn exposed_names(&self) -> &[String] {
        &self.0.exposed
    }

    /// Makes a value of an object that this proxy's server has sent.
    pub(super) fn read<R: DeserializeOwned>(&self, object: Object) -> Result<R, CallError> {
        within(&self.0.endpoint, || from_object(object)).map_err(CallError::Decode)
    }

    pub(super) fn session(&self) -> Result<Arc<Session>, CallError> {
        let Inner { endpoint, ident, reference, .. } = &*self.0;
        let reference = reference.get(|_| OnceLock::new());
        if let Some(reference) = reference.get() {
            return Ok(reference.session.clone());
        }
        let taken = Reference::take(endpoint, ident)?;
        Ok(reference.get_or_init(|| taken).session.clone())
    }

    pub(super) fn request(
        &self,
        method: &str,
        args: Vec<Object>,
        kwargs: Vec<(Object, Object)>,
    ) -> Result<Object, CallError> {
        let session = self.session()?;
        match session.call(Some(&self.0.ident), method, args, kwargs)? {
            Reply::Value(value) => Ok(value),
            Reply::Proxy(parts) => Ok(Self::of_parts(&session, &parts)?.into_object()),
        }
    }

    /// Makes the proxy that a method returns.
    pub(super) fn request_proxy(&self, method: &str, args: Vec<Object>) -> Result<Self, CallError> {
        let session = self.session()?;
        match session.call(Some(&self.0.ident), method, args, vec![])? {
            Reply::Proxy(parts) => Self::of_parts(&session, &parts),
            Reply::Value(_) => Err(CallError::Malformed),
        }
    }
}

/// The texts in a tuple.
pub(crate) fn names(exposed: &Object) -> Vec<String> {
    match exposed {
        Object::Tuple(names) | Object::List(names) | Object::Set(names) => {
            names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
        }
        _ => vec![],
    }
}

/// Shows the object, as Python's `str` does, or the proxy if that fails.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.request("__repr__", vec![], vec![]) {
            Ok(Object::Str(text)) => f.write_str(&text),
            Ok(other) => other.fmt(f),
            Err(_) => {
                let shown = format!("{self:?}");
                let shown = shown.strip_suffix('>').unwrap_or(&shown);
                write!(f, "{shown}; '__str__()' failed>")
            }
        }
    }
}

/// Shows the proxy, as Python's `repr` does.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { typeid, ident, .. } = &*self.0;
        write!(f, "<{} object, typeid '{typeid}' at 0x{ident}>", super::token::class(typeid))
    }
}
