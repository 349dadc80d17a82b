//! What a manager is told of a type.

use std::{fmt, sync::Arc};

use multiproc_image::{FnRef, Function};
use multiproc_wire::pickle::Exception;

use crate::{
    Call, Shared, SharedType, Sharing,
    registry::{Make, Plan, Registration},
};

/// A type that a manager's server is to know, under a name.
///
/// Clients need no registration: they ask for the name.
///
/// # Python
///
/// The arguments of `BaseManager.register`.
///
/// # Examples
///
/// ```
/// use multiproc_managers::{BaseManager, Type, types::Queue};
///
/// # multiproc_image::entry::init();
/// let queues = Type::once("get_queue", || Queue::new()).exposed(["put", "get"]);
/// let manager = BaseManager::builder().add(queues).start()?;
/// let (first, second) = (manager.create("get_queue", ())?, manager.create("get_queue", ())?);
/// first.call_method("put", ("hello",))?;
/// assert_eq!(second.call::<_, String>("get", ())?, "hello");
/// assert_eq!(second.exposed(), ["get", "put"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "a type is known to a manager that it is added to"]
pub struct Type {
    pub(super) plan: Plan,
    /// What no other process has.
    pub(super) here: Option<Make>,
}

impl Type {
    fn new(typeid: &str) -> Self {
        let (typeid, returns) = (typeid.to_owned(), vec![]);
        let plan = Plan { typeid, make: None, once: false, exposed: None, returns };
        Self { plan, here: None }
    }

    /// A type that managers are asked to make values of.
    pub fn of<T: SharedType>(typeid: &str) -> Self {
        Self::made(typeid, Sharing::<T>::create)
    }

    /// A function that makes a shared object of the arguments of a call.
    ///
    /// It is a fn item or a closure that captures nothing, for it runs in the server's process.
    pub fn with<F, S>(typeid: &str, make: F) -> Self
    where
        F: Fn(Call) -> Result<S, Exception> + Copy + Send + 'static,
        S: Shared,
    {
        make.into_state();
        Self::made(typeid, |call| {
            Ok(Arc::new(<F as Function<(Call,)>>::call(&(), (call,))?) as Arc<dyn Shared>)
        })
    }

    /// A function that makes one shared object for all who ask, when the first one does.
    ///
    /// It is a fn item or a closure that captures nothing, for it runs in the server's process.
    pub fn once<F, S>(typeid: &str, make: F) -> Self
    where
        F: Fn() -> S + Copy + Send + 'static,
        S: Shared,
    {
        make.into_state();
        let mut known = Self::made(typeid, |mut call: Call| {
            call.take_args().finish()?;
            Ok(Arc::new(<F as Function<()>>::call(&(), ())) as Arc<dyn Shared>)
        });
        known.plan.once = true;
        known
    }

    fn made<F>(typeid: &str, make: F) -> Self
    where
        F: Function<(Call,), Output = Result<Arc<dyn Shared>, Exception>, State = ()>,
    {
        let mut known = Self::new(typeid);
        known.plan.make = Some(FnRef::new(make));
        known
    }

    /// One shared object that is there already, for a server in this process.
    pub fn value(typeid: &str, object: impl Shared) -> Self {
        let object: Arc<dyn Shared> = Arc::new(object);
        Self { here: Some(Arc::new(move |_| Ok(object.clone()))), ..Self::new(typeid) }
    }

    /// A type that only methods return values of: Python's `create_method=False`.
    pub fn named(typeid: &str) -> Self {
        Self::new(typeid)
    }

    /// Says which methods proxies may call; unless said, those that the type names.
    pub fn exposed<'a>(mut self, methods: impl IntoIterator<Item = &'a str>) -> Self {
        self.plan.exposed = Some(methods.into_iter().map(str::to_owned).collect());
        self
    }

    /// Says the name of the type of the shared objects that a method returns.
    ///
    /// That they are shared, the method says itself: it answers with
    /// [`Answer::Shared`](crate::Answer::Shared).
    #[doc(alias = "method_to_typeid")]
    pub fn returns(mut self, method: &str, typeid: &str) -> Self {
        self.plan.returns.push((method.to_owned(), typeid.to_owned()));
        self
    }

    pub(super) fn into_registration(self) -> (String, Registration) {
        self.plan.into_registration(self.here)
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.fmt(f)
    }
}
