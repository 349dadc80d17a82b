//! The proxy of a shared pool.

use multiproc_image::{FnRef, Function};
use multiproc_pool::TaskError;
use multiproc_wire::pickle::{Exception, Object, from_object, to_object};
use serde::{Serialize, de::DeserializeOwned};

use super::{AsyncResultProxy, IteratorProxy, object, objects};
use crate::{CallError, MethodError, Proxy, error::chain, raise, types::Worker};

typed_proxy! {
    /// A proxy of a pool of worker processes that a manager's server has.
    ///
    /// Functions are fn items of this program, or closures that capture nothing; the server has to be a
    /// process of this family. When the last proxy of the pool is gone, and no result is awaited, its workers are ended.
    ///
    /// # If a process dies
    ///
    /// A worker that dies is replaced; its call fails with
    /// [`TaskError::WorkerLost`](multiproc_pool::TaskError). The workers end with the server.
    ///
    /// # Python
    ///
    /// `multiprocessing.managers.PoolProxy`. To leave its `with` block is to call
    /// [`terminate`](Self::terminate). Callbacks would run in the server and are not taken. A pool of a
    /// server of CPython's takes Python's functions only: call it by [`Proxy`](crate::Proxy), with a
    /// [`Global`](crate::pickle::Global) for the function.
    ///
    /// # Errors
    ///
    /// Calls return [`MethodError`]: its `Own` is what the pool says, as it would here.
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// let manager = multiproc_managers::Manager::start()?;
    /// let pool = manager.pool(2)?;
    /// assert_eq!(pool.apply(i32::pow, (2, 10))?, 1024);
    /// assert_eq!(pool.map(|x: u32| x * x, [1, 2, 3])?, [1, 4, 9]);
    /// let squares = pool.imap(|x: u32| x * x, [4, 5])?;
    /// assert_eq!(squares.collect::<Result<Vec<_>, _>>()?, [16, 25]);
    /// pool.close()?;
    /// pool.join()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    PoolProxy
}

/// What a call of a shared pool may fail with.
pub type PoolCallError = MethodError<TaskError>;

impl PoolProxy {
    /// Calls a function with arguments in a worker and returns what it returns.
    ///
    /// # Errors
    ///
    /// [`PoolCallError`].
    pub fn apply<F, Args>(&self, function: F, args: Args) -> Result<F::Output, PoolCallError>
    where
        F: Function<Args, State = ()> + Copy,
        F::Output: Serialize + DeserializeOwned,
        Args: Serialize + DeserializeOwned + 'static,
    {
        let call = vec![spread(function)?, object(&args)?];
        Ok(self.proxy.read(self.proxy.request("apply", call, vec![])?)?)
    }

    /// Has a function called with arguments in a worker, and returns at once what will come of it.
    ///
    /// # Errors
    ///
    /// [`PoolCallError`], of what goes wrong before the function is called.
    pub fn apply_async<F, Args>(
        &self,
        function: F,
        args: Args,
    ) -> Result<AsyncResultProxy<F::Output>, PoolCallError>
    where
        F: Function<Args, State = ()> + Copy,
        F::Output: Serialize + DeserializeOwned,
        Args: Serialize + DeserializeOwned + 'static,
    {
        let call = vec![spread(function)?, object(&args)?];
        Ok(self.proxy.request_proxy("apply_async", call)?.into())
    }

    /// Calls a function with each item in the workers and returns the results in the items' order.
    ///
    /// # Errors
    ///
    /// [`PoolCallError`] of the first item that failed, once all are done.
    pub fn map<F, T>(
        &self,
        function: F,
        items: impl IntoIterator<Item = T>,
    ) -> Result<Vec<F::Output>, PoolCallError>
    where
        F: Function<(T,), State = ()> + Copy,
        F::Output: Serialize + DeserializeOwned,
        T: Serialize + DeserializeOwned + 'static,
    {
        self.all("map", one(function)?, items)
    }

    /// Has a function called with each item in the workers, and returns at once what will come of it.
    ///
    /// # Errors
    ///
    /// [`PoolCallError`], of what goes wrong before the function is called.
    pub fn map_async<F, T>(
        &self,
        function: F,
        items: impl IntoIterator<Item = T>,
    ) -> Result<AsyncResultProxy<Vec<F::Output>>, PoolCallError>
    where
        F: Function<(T,), State = ()> + Copy,
        F::Output: Serialize + DeserializeOwned,
        T: Serialize + DeserializeOwned + 'static,
    {
        self.later("map_async", one(function)?, items)
    }

    /// Calls a function with each tuple of arguments in the workers and returns the results in order.
    ///
    /// # Errors
    ///
    /// [`PoolCallError`] of the first that failed, once all are done.
    pub fn starmap<F, Args>(
        &self,
        function: F,
        items: impl IntoIterator<Item = Args>,
    ) -> Result<Vec<F::Output>, PoolCallError>
    where
        F: Function<Args, State = ()> + Copy,
        F::Output: Serialize + DeserializeOwned,
        Args: Serialize + DeserializeOwned + 'static,
    {
        self.all("starmap", spread(function)?, items)
    }

    /// Has a function called with each tuple of arguments, and returns at once what will come of it.
    ///
    /// # Errors
    ///
    /// [`PoolCallError`], of what goes wrong before the function is called.
    pub fn starmap_async<F, Args>(
        &self,
        function: F,
        items: impl IntoIterator<Item = Args>,
    ) -> Result<AsyncResultProxy<Vec<F::Output>>, PoolCallError>
    where
        F: Function<Args, State = ()> + Copy,
        F::Output: Serialize + DeserializeOwned,
        Args: Serialize + DeserializeOwned + 'static,
    {
        self.later("starmap_async", spread(function)?, items)
    }

    /// Calls a function with each item in the workers, and goes through the results in the items' order.
    ///
    /// All items are sent first. An item that failed is an error in its place, and the others follow.
    ///
    /// # Errors
    ///
    /// [`PoolCallError`], of what goes wrong before the function is called.
    pub fn imap<F, T>(
        &self,
        function: F,
        items: impl IntoIterator<Item = T>,
    ) -> Result<IteratorProxy<F::Output>, PoolCallError>
    where
        F: Function<(T,), State = ()> + Copy,
        F::Output: Serialize + DeserializeOwned,
        T: Serialize + DeserializeOwned + 'static,
    {
        self.later("imap", one(function)?, items)
    }

    /// Calls a function with each item in the workers, and goes through the results as they come.
    ///
    /// # Errors
    ///
    /// As [`imap`](Self::imap).
    pub fn imap_unordered<F, T>(
        &self,
        function: F,
        items: impl IntoIterator<Item = T>,
    ) -> Result<IteratorProxy<F::Output>, PoolCallError>
    where
        F: Function<(T,), State = ()> + Copy,
        F::Output: Serialize + DeserializeOwned,
        T: Serialize + DeserializeOwned + 'static,
    {
        self.later("imap_unordered", one(function)?, items)
    }

    /// Has the pool take no more calls; its workers end when those there are are done.
    ///
    /// # Errors
    ///
    /// [`CallError`] when the server cannot be reached.
    pub fn close(&self) -> Result<(), CallError> {
        self.proxy.call("close", ())
    }

    /// Ends the workers at once; what is not done fails.
    ///
    /// # Errors
    ///
    /// [`CallError`] when the server cannot be reached.
    pub fn terminate(&self) -> Result<(), CallError> {
        self.proxy.call("terminate", ())
    }

    /// Waits for the end of the workers of a pool that was closed or terminated.
    ///
    /// # Errors
    ///
    /// [`CallError`]: a `ValueError` is raised when the pool is still open.
    pub fn join(&self) -> Result<(), CallError> {
        self.proxy.call("join", ())
    }

    fn all<T: Serialize, R: DeserializeOwned>(
        &self,
        method: &str,
        function: Object,
        items: impl IntoIterator<Item = T>,
    ) -> Result<Vec<R>, PoolCallError> {
        let (items, _kept) = objects(items)?;
        Ok(self.proxy.read(self.proxy.request(method, vec![function, items], vec![])?)?)
    }

    /// Has the server make an object of what will come of the calls.
    fn later<T: Serialize, P: From<Proxy>>(
        &self,
        method: &str,
        function: Object,
        items: impl IntoIterator<Item = T>,
    ) -> Result<P, PoolCallError> {
        let (items, _kept) = objects(items)?;
        Ok(self.proxy.request_proxy(method, vec![function, items])?.into())
    }
}

/// Names a function of one argument for the server's workers.
fn one<F, T>(function: F) -> Result<Object, CallError>
where
    F: Function<(T,), State = ()>,
    F::Output: Serialize,
    T: DeserializeOwned + 'static,
{
    function.into_state();
    named(FnRef::new(call_one::<F, T>))
}

/// Names a function of a tuple of arguments for the server's workers.
fn spread<F, Args>(function: F) -> Result<Object, CallError>
where
    F: Function<Args, State = ()>,
    F::Output: Serialize,
    Args: DeserializeOwned + 'static,
{
    function.into_state();
    named(FnRef::new(call_spread::<F, Args>))
}

fn named(worker: Worker) -> Result<Object, CallError> {
    let message = multiproc_wire::encode(&worker);
    Ok(message.map_err(|err| CallError::Remote(chain(&err)))?.bytes.into())
}

fn call_one<F, T>(argument: Object) -> Result<Object, Exception>
where
    F: Function<(T,), State = ()>,
    F::Output: Serialize,
    T: DeserializeOwned,
{
    let argument = from_object::<T>(argument).map_err(|err| raise::type_error(chain(&err)))?;
    returned(&F::call(&(), (argument,)))
}

fn call_spread<F, Args>(arguments: Object) -> Result<Object, Exception>
where
    F: Function<Args, State = ()>,
    F::Output: Serialize,
    Args: DeserializeOwned,
{
    let arguments = from_object::<Args>(arguments).map_err(|err| raise::type_error(chain(&err)))?;
    returned(&F::call(&(), arguments))
}

fn returned(value: &impl Serialize) -> Result<Object, Exception> {
    to_object(value).map_err(|err| raise::type_error(chain(&err)))
}
