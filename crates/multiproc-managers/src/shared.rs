//! What an object has to be to live in a manager's server.

use std::{any::Any, fmt, future::Future, pin::Pin, sync::Arc};

use multiproc_wire::pickle::{Exception, Object};

use crate::{
    Args, raise,
    server::{Entry, Table},
    values::{Held, LongFile},
};

/// An object that lives in a manager's server.
///
/// `#[multiproc::shared]` writes this for a type of yours. By hand it is for methods that wait: they
/// hold a task of the server, and no thread, while they do.
///
/// # If a process dies
///
/// [`forget`](Self::forget) is told of every client whose connection has ended. A call that is under
/// way for it is dropped, where it waits.
///
/// An object that nobody refers to any more is dropped by a thread that may wait.
///
/// # Python
///
/// Any object whose methods are called by proxies.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use multiproc_managers::{Call, Reply, Shared};
///
/// struct Answer;
///
/// impl Shared for Answer {
///     fn methods(&self) -> &'static [&'static str] {
///         &["get"]
///     }
///
///     fn call(self: Arc<Self>, call: Call) -> Reply {
///         match call.method() {
///             "get" => Reply::value(42),
///             _ => Reply::unknown(&call),
///         }
///     }
///
///     fn repr(&self) -> String {
///         "<Answer>".to_owned()
///     }
/// }
/// ```
pub trait Shared: Any + Send + Sync {
    /// The methods that proxies may call unless a registration says otherwise.
    fn methods(&self) -> &'static [&'static str];

    /// Calls a method.
    fn call(self: Arc<Self>, call: Call) -> Reply;

    /// The object as text, for `repr` and `str` of its proxies.
    fn repr(&self) -> String;

    /// A copy of the object, for those who ask a proxy for its referent.
    ///
    /// # Errors
    ///
    /// `TypeError`, unless the type says otherwise: the object cannot be copied.
    fn value(&self) -> Result<Object, Exception> {
        Err(raise::type_error("cannot pickle this shared object"))
    }

    /// Returns whether anybody can hold something of this object, so that [`forget`](Self::forget)
    /// has to be told of those who have called it.
    fn has_holders(&self) -> bool {
        false
    }

    /// Lets go of what somebody holds whose connection has ended.
    fn forget(&self, owner: Owner) {
        let _ = owner;
    }
}

/// Who holds something: a client's process, or one of its threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner(pub(crate) u64);

/// Who makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The calling thread, which has a connection of its own.
    pub thread: Owner,
    /// The calling process. Of a Python client, which tells of threads only, it is the thread.
    pub process: Owner,
}

/// One call of a method of a shared object.
pub struct Call {
    pub(crate) method: String,
    pub(crate) args: Args,
    pub(crate) caller: Caller,
    pub(crate) table: Arc<Table>,
    /// True if there are proxies of this server's objects among the arguments.
    pub(crate) has_proxies: bool,
    /// True if the caller can take a long value by way of a file.
    pub(crate) takes_files: bool,
    /// True if the arguments are so long that others should not wait for what is made of them.
    pub(crate) is_long: bool,
}

impl Call {
    /// The method's name.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Who calls.
    #[must_use]
    pub fn caller(&self) -> Caller {
        self.caller
    }

    /// Takes the arguments out of the call.
    #[must_use]
    pub fn take_args(&mut self) -> Args {
        std::mem::take(&mut self.args)
    }

    /// Returns the shared object that a proxy among the arguments refers to, if it lives here.
    #[must_use]
    pub fn referent(&self, proxy: &Object) -> Option<Arc<dyn Shared>> {
        Some(self.table.referent(proxy)?.shared().clone())
    }

    pub(crate) fn hold(&self, object: Object) -> Held {
        if !self.has_proxies {
            return Held::plain(object);
        }
        let referents = self.table.referents(&object);
        Held::new(object, referents)
    }

    pub(crate) fn entry(&self, proxy: &Object) -> Option<Arc<Entry>> {
        self.table.referent(proxy)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, args, caller, .. } = self;
        f.debug_struct("Call")
            .field("method", method)
            .field("args", args)
            .field("caller", caller)
            .finish_non_exhaustive()
    }
}

/// What a call comes to.
#[derive(Debug)]
pub enum Answer {
    /// A value, of which the caller gets a copy.
    Value(Object),
    /// A long value, of which the caller makes its copy from a file.
    Filed(Filed),
    /// A value that was taken out of a shared object, with what its proxies refer to.
    Lent(Lent),
    /// A shared object, of which the caller gets a proxy.
    Shared {
        /// The name of its type.
        typeid: String,
        /// The object.
        object: Arc<dyn Shared>,
    },
}

/// A long value in a file that cannot be changed, as the standard types answer with.
#[derive(Debug)]
pub struct Filed {
    pub(crate) told: Object,
    pub(crate) file: LongFile,
}

/// A value with the shared objects that its proxies refer to, as the standard types answer with.
///
/// They stay until the caller has had the time to refer to them itself.
#[derive(Debug)]
pub struct Lent(pub(crate) Held);

macro_rules! answers {
    ($($type:ty),*) => {$(
        impl From<$type> for Answer {
            fn from(value: $type) -> Self {
                Self::Value(value.into())
            }
        }
    )*};
}

answers!(Object, (), bool, i64, u64, usize, f64, &str, String);

impl fmt::Debug for dyn Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repr())
    }
}

/// What a call comes to, or the exception that it raises in the caller.
pub type Outcome = Result<Answer, Exception>;

/// How a call is answered.
pub enum Reply {
    /// At once.
    Done(Outcome),
    /// Once this future is ready. It is dropped when the caller's connection ends.
    Later(Pin<Box<dyn Future<Output = Outcome> + Send>>),
    /// By a function that may take its time: it runs on a thread of its own.
    Blocking(Box<dyn FnOnce() -> Outcome + Send>),
    /// With an error of the server's, not of the object's: there is no such method.
    Unknown(String),
}

impl Reply {
    /// Answers with a value.
    #[must_use]
    pub fn value(value: impl Into<Object>) -> Self {
        Self::Done(Ok(Answer::Value(value.into())))
    }

    /// Answers once the future is ready.
    pub fn later<T: Into<Answer>>(
        future: impl Future<Output = Result<T, Exception>> + Send + 'static,
    ) -> Self {
        Self::Later(Box::pin(async { future.await.map(Into::into) }))
    }

    /// Answers with what the function returns, which may wait.
    pub fn blocking(function: impl FnOnce() -> Outcome + Send + 'static) -> Self {
        Self::Blocking(Box::new(function))
    }

    /// Answers that the object has no such method.
    #[must_use]
    pub fn unknown(call: &Call) -> Self {
        Self::Unknown(call.method.clone())
    }
}

impl<T: Into<Answer>> From<Result<T, Exception>> for Reply {
    fn from(result: Result<T, Exception>) -> Self {
        Self::Done(result.map(Into::into))
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(outcome) => f.debug_tuple("Done").field(outcome).finish(),
            Self::Later(_) => f.write_str("Later(..)"),
            Self::Blocking(_) => f.write_str("Blocking(..)"),
            Self::Unknown(method) => f.debug_tuple("Unknown").field(method).finish(),
        }
    }
}
