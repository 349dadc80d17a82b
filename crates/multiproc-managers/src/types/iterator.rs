//! A shared iterator.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use multiproc_wire::pickle::{Exception, Global, Object};

use super::locked;
use crate::{Call, Reply, Shared, raise};

type Steps = dyn Iterator<Item = Result<Object, Exception>> + Send;

/// An iterator that lives in a manager's server and goes one step at each request.
///
/// # Python
///
/// What an `IteratorProxy` refers to: a generator.
pub struct Iter(Mutex<Option<Box<Steps>>>);

impl Iter {
    /// Shares an iterator.
    #[must_use]
    pub fn new(steps: impl Iterator<Item = Result<Object, Exception>> + Send + 'static) -> Self {
        Self(Mutex::new(Some(Box::new(steps))))
    }

    fn answer(&self, method: &str, mut call: Call) -> Result<Object, Exception> {
        let mut args = call.take_args();
        let mut steps = locked(&self.0);
        match method {
            "__next__" | "send" => {
                if method == "send" && !args.required("value")?.is_none() {
                    return Err(raise::type_error("iterator takes no values"));
                }
                args.finish()?;
                let step = steps.as_mut().and_then(Iterator::next);
                if !matches!(step, Some(Ok(_))) {
                    *steps = None;
                }
                let end = Exception::new(Global::new("builtins", "StopIteration"), []);
                step.unwrap_or(Err(end))
            }
            "throw" => {
                *steps = None;
                match args.required("exception")? {
                    Object::Exception(exception) => Err(*exception),
                    Object::Global(class) if class.is_exception() => {
                        Err(Exception::new(*class, []))
                    }
                    _ => Err(raise::type_error("exceptions must be classes or instances")),
                }
            }
            _ => {
                *steps = None;
                args.finish()?;
                Ok(Object::None)
            }
        }
    }
}

impl Shared for Iter {
    fn methods(&self) -> &'static [&'static str] {
        &["__next__", "send", "throw", "close"]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        let method = std::mem::take(&mut call.method);
        // The steps are somebody's code.
        Reply::blocking(move || self.answer(&method, call).map(Into::into))
    }

    fn repr(&self) -> String {
        "<iterator>".to_owned()
    }
}

impl fmt::Debug for Iter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Iter(..)")
    }
}
