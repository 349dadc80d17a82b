//! Types of yours, as `#[multiproc::shared]` prepares them.

use std::{
    any::type_name,
    fmt,
    sync::{Arc, RwLock},
};

use multiproc_wire::pickle::Exception;

use crate::{Answer, Args, Call, Outcome, Reply, Shared, TypedProxy};

/// A type whose values can live in a manager's server.
///
/// `#[multiproc::shared]` on an `impl` block writes this.
///
/// # Python
///
/// A class that is registered with a manager.
///
/// # Examples
///
/// ```
/// use std::sync::RwLock;
///
/// use multiproc_managers::{Args, Call, Outcome, Proxy, SharedType, pickle::Exception};
///
/// struct Counter(i64);
///
/// impl SharedType for Counter {
///     const NAME: &'static str = "Counter";
///     type Proxy = Proxy; // One that knows the methods is better.
///     const METHODS: &'static [&'static str] = &["add"];
///
///     fn construct(mut args: Args) -> Result<Self, Exception> {
///         let first = args.take_or("first", 0)?;
///         args.finish()?;
///         Ok(Self(first))
///     }
///
///     fn dispatch(this: &RwLock<Self>, mut call: Call) -> Option<Outcome> {
///         let mut args = call.take_args();
///         Some(match call.method() {
///             "add" => args.take::<i64>("n").map(|n| {
///                 let mut this = this.write().unwrap();
///                 this.0 += n;
///                 this.0.into()
///             }),
///             _ => return None,
///         })
///     }
/// }
/// ```
pub trait SharedType: Sized + Send + Sync + 'static {
    /// The name under which managers know the type, unless a registration says otherwise.
    const NAME: &'static str;

    /// The proxies of its values.
    type Proxy: TypedProxy;

    /// The methods that proxies may call unless a registration says otherwise.
    const METHODS: &'static [&'static str];

    /// Makes one of the arguments that a manager was asked with.
    ///
    /// # Errors
    ///
    /// The exception that the caller gets.
    fn construct(args: Args) -> Result<Self, Exception>;

    /// Calls a method, on a thread that may wait. Returns nothing if there is no such method.
    fn dispatch(this: &RwLock<Self>, call: Call) -> Option<Outcome>;
}

/// A value of a [`SharedType`] in a server.
///
/// # Examples
///
/// ```no_run
/// # use multiproc_managers::{BaseManager, SharedType, Sharing};
/// # fn serve<Counter: SharedType>(counter: Counter) -> Result<(), Box<dyn std::error::Error>> {
/// BaseManager::builder().share("get_counter", Sharing::new(counter)).get_server()?.serve_forever()?;
/// # Ok(())
/// # }
/// ```
pub struct Sharing<T>(Arc<RwLock<T>>);

impl<T: SharedType> Sharing<T> {
    /// Makes a shared object of the value.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(Arc::new(RwLock::new(value)))
    }

    pub(crate) fn create(mut call: Call) -> Result<Arc<dyn Shared>, Exception> {
        Ok(Arc::new(Self::new(T::construct(call.take_args())?)))
    }
}

impl<T: SharedType> Shared for Sharing<T> {
    fn methods(&self) -> &'static [&'static str] {
        T::METHODS
    }

    fn call(self: Arc<Self>, call: Call) -> Reply {
        let method = call.method.clone();
        let this = self.0.clone();
        Reply::blocking(move || {
            T::dispatch(&this, call).unwrap_or_else(|| {
                let text = format!("'{}' object has no attribute '{method}'", name::<T>());
                Err(crate::raise::attribute_error(text))
            })
        })
    }

    fn repr(&self) -> String {
        format!("<{} object>", name::<T>())
    }
}

/// The type's name without its path.
fn name<T>() -> &'static str {
    let name = type_name::<T>();
    let end = name.find('<').unwrap_or(name.len());
    &name[name[..end].rfind("::").map_or(0, |at| at + 2)..]
}

/// A method may return one: its caller gets a proxy.
impl<T: SharedType> From<Sharing<T>> for Answer {
    fn from(object: Sharing<T>) -> Self {
        Self::Shared { typeid: T::NAME.to_owned(), object: Arc::new(object) }
    }
}

impl<T> fmt::Debug for Sharing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sharing<{}>", type_name::<T>())
    }
}

impl Answer {
    /// Makes an answer of a value of any type that can be sent.
    ///
    /// # Errors
    ///
    /// `TypeError` when it cannot be written as a Python object.
    pub fn of(value: &(impl serde::Serialize + ?Sized)) -> Outcome {
        multiproc_wire::pickle::to_object(value)
            .map(Self::Value)
            .map_err(|err| crate::raise::type_error(crate::error::chain(&err)))
    }
}
