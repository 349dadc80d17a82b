//! Many calls in one round trip.

use multiproc_wire::pickle::Object;
use serde::Serialize;

use super::{Proxy, TypedProxy, arguments};
use crate::{CallError, client::Reply};

/// Calls that go to a server together and come back together.
///
/// They are made in order, each whatever became of those before it, and others may call in between.
///
/// # Python
///
/// No counterpart. Of a server of CPython's each is a round trip.
///
/// # Examples
///
/// ```
/// # multiproc_image::entry::init();
/// use multiproc_managers::{Batch, Manager};
///
/// let manager = Manager::start()?;
/// let dict = manager.dict::<String, i64>([])?;
/// let batch = Batch::new().call(&dict, "__setitem__", ("x", 7))?.call(&dict, "get", ("x",))?;
/// let results = batch.run()?;
/// assert_eq!(results[1].as_ref().unwrap().as_int(), Some(7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is called before `run`"]
pub struct Batch {
    calls: Vec<(Proxy, String, Vec<Object>)>,
}

impl Batch {
    /// Begins with no calls.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a call of a method.
    ///
    /// # Errors
    ///
    /// [`CallError::Encode`] when the arguments cannot be written.
    pub fn call(
        mut self,
        proxy: &impl TypedProxy,
        method: &str,
        args: impl Serialize,
    ) -> Result<Self, CallError> {
        self.calls.push((proxy.as_proxy().clone(), method.to_owned(), arguments(&args)?));
        Ok(self)
    }

    /// Makes the calls, and returns what each came to.
    ///
    /// What proxies in the results refer to is there until this thread makes its next call: make
    /// [`Proxy`]s of those that are wanted first, by [`Proxy::from_object`].
    ///
    /// # Errors
    ///
    /// [`CallError`] when the server cannot be reached: any of the calls may have been made. All
    /// objects are of the first one's server, or their calls are errors.
    pub fn run(self) -> Result<Vec<Result<Object, CallError>>, CallError> {
        let Some((first, ..)) = self.calls.first() else { return Ok(vec![]) };
        let (first, session) = (first.clone(), first.session()?);
        if session.is_python() {
            let call =
                |(proxy, method, args): (Proxy, String, _)| proxy.request(&method, args, vec![]);
            return Ok(self.calls.into_iter().map(call).collect());
        }
        let requests = self.calls.iter().map(|(proxy, method, args)| {
            let ident = match proxy.address() == first.address() {
                true => proxy.id().into(),
                false => Object::None,
            };
            let (args, kwargs) = (Object::Tuple(args.clone()), Object::Dict(vec![]));
            Object::Tuple(vec![ident, (&**method).into(), args, kwargs])
        });
        let replies = session.call(None, "#BATCH", requests.collect(), vec![])?;
        let Reply::Value(Object::List(replies)) = replies else {
            return Err(CallError::Malformed);
        };
        let result = |reply| match Reply::of(reply)? {
            Reply::Value(value) => Ok(value),
            Reply::Proxy(parts) => Ok(Proxy::of_parts(&session, &parts)?.into_object()),
        };
        Ok(replies.into_iter().map(result).collect())
    }
}

impl TypedProxy for Proxy {
    fn as_proxy(&self) -> &Proxy {
        self
    }

    fn into_proxy(self) -> Proxy {
        self
    }
}
