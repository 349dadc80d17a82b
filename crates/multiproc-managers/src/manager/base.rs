//! A manager of any types.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use multiproc_connection::Address;
use multiproc_image::{exit::Finalizer, renewed::Renewed};
use multiproc_wire::pickle::Object;
use serde::Serialize;

use super::{Builder, launch::Running};
use crate::{
    CallError, ManagerError, Proxy, SharedType,
    client::{Endpoint, Reference, Session},
    proxies::{arguments, names},
};

/// A server of shared objects, in a process of its own or somewhere else.
///
/// Dropping the one that has started the server [shuts it down](Self::shutdown); so does the end of
/// this process. Dropping one that has connected leaves the server alone.
///
/// # If a process dies
///
/// When this process does, killed too, a server that it started ends. When the server does, calls are
/// errors, until there is one again at its address that knows the key: then the manager makes objects
/// there. Proxies of objects that are gone stay errors.
///
/// # Python
///
/// `multiprocessing.managers.BaseManager`. One that is neither started nor connected is a
/// [`Builder`], so to start it twice, or to use it before, does not compile; nor does its use after
/// [`shutdown`](Self::shutdown), which consumes it.
///
/// # Examples
///
/// ```
/// use multiproc_managers::BaseManager;
///
/// # multiproc_image::entry::init();
/// let manager = BaseManager::builder().sync_types().address("127.0.0.1:0").authkey("k").start()?;
/// let queue = manager.create("Queue", (10,))?;
///
/// let other = BaseManager::builder().address(manager.address()).authkey("k").connect()?;
/// assert_eq!(other.number_of_objects()?, 1);
/// drop(queue);
/// assert_eq!(other.number_of_objects()?, 0);
/// manager.shutdown()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a manager that was started shuts its server down"]
pub struct BaseManager {
    endpoint: Endpoint,
    /// Empty in a forked child at first. Another, once the server has ended it.
    session: Renewed<Mutex<Option<Arc<Session>>>>,
    running: Option<(Arc<Running>, Finalizer)>,
}

impl BaseManager {
    /// Begins to describe a manager.
    pub fn builder() -> Builder {
        Builder::new("BaseManager")
    }

    pub(super) fn new(session: Arc<Session>, running: Option<Running>) -> Self {
        let endpoint = session.endpoint.clone();
        let session = Renewed::new(Mutex::new(Some(session)));
        let running = running.map(|running| {
            let running = Arc::new(running);
            let ending = running.clone();
            let finalizer = Finalizer::with_priority(0, move || {
                // At the exit of the process, or of the manager, nobody is left to be told.
                let _ = ending.shut_down();
            });
            (running, finalizer)
        });
        Self { endpoint, session, running }
    }

    /// Where the server listens.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.endpoint.address
    }

    /// Has the server make a shared object of a type that it knows by this name.
    ///
    /// The arguments are a tuple, `(x,)` for one, `()` for none.
    ///
    /// # Errors
    ///
    /// [`CallError::Remote`] when the server does not know the type, or making one has failed.
    pub fn create(&self, typeid: &str, args: impl Serialize) -> Result<Proxy, CallError> {
        self.request(typeid, arguments(&args)?, vec![])
    }

    /// Has the server make a shared object of a type of yours, known by the type's own name.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn create_of<T: SharedType>(&self, args: impl Serialize) -> Result<T::Proxy, CallError> {
        Ok(self.create(T::NAME, args)?.into())
    }

    pub(crate) fn request(
        &self,
        typeid: &str,
        mut args: Vec<Object>,
        kwargs: Vec<(Object, Object)>,
    ) -> Result<Proxy, CallError> {
        let session = self.session()?;
        args.insert(0, typeid.into());
        let made = session.ask("create", args, kwargs)?;
        let [ident, exposed] = made.as_tuple().unwrap_or_default() else {
            return Err(CallError::Malformed);
        };
        let ident = ident.as_str().ok_or(CallError::Malformed)?;
        let reference = Reference::adopt(session, ident);
        Ok(Proxy::adopt(self.endpoint.clone(), typeid, ident, names(exposed), reference))
    }

    /// Returns how many objects are shared.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    #[doc(alias = "_number_of_objects")]
    pub fn number_of_objects(&self) -> Result<usize, CallError> {
        let number = self.control("number_of_objects", vec![])?;
        number.as_int().and_then(|number| usize::try_from(number).ok()).ok_or(CallError::Malformed)
    }

    /// Returns the shared objects as text, with how many refer to each.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    #[doc(alias = "_debug_info")]
    pub fn debug_info(&self) -> Result<String, CallError> {
        match self.control("debug_info", vec![])? {
            Object::Str(text) => Ok(text),
            _ => Err(CallError::Malformed),
        }
    }

    /// Tells the server to end, whoever has started it.
    ///
    /// # Errors
    ///
    /// [`CallError`] when it cannot be told.
    pub fn shutdown_server(&self) -> Result<(), CallError> {
        Session::shut_down(&self.endpoint)
    }

    /// Ends the server that was started: asks it, terminates it if it takes longer than the
    /// [time-out](Builder::shutdown_timeout), and kills it after as long again.
    ///
    /// Of a manager that has only connected this is the same as dropping it.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Wait`] when the process cannot be waited for.
    pub fn shutdown(mut self) -> Result<(), ManagerError> {
        let Some((running, finalizer)) = self.running.take() else { return Ok(()) };
        finalizer.cancel();
        running.shut_down()
    }

    /// Ends the server as [`shutdown`](Self::shutdown) does, and returns the exit code of its process:
    /// 0, or -15 where it had to be terminated.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Wait`] when the process cannot be waited for.
    pub fn shutdown_code(mut self) -> Result<Option<i32>, ManagerError> {
        let Some((running, finalizer)) = self.running.take() else { return Ok(None) };
        finalizer.cancel();
        running.shut_down()?;
        Ok(running.with(|process| process.exitcode()))
    }

    /// Waits for the end of the server's process, if it was started here.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Wait`] when it cannot be waited for.
    pub fn join(&self) -> Result<(), ManagerError> {
        self.running.as_ref().map_or(Ok(()), |(running, _)| running.join())
    }

    /// Waits so long for the end of the server's process, and returns whether it has ended.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Wait`] when it cannot be waited for.
    pub fn join_timeout(&self, timeout: Duration) -> Result<bool, ManagerError> {
        self.running.as_ref().map_or(Ok(true), |(running, _)| running.join_timeout(timeout))
    }

    /// The id of the server's process, if it was started here.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref()?.0.with(|process| process.pid())
    }

    /// The name of the server's process, if it was started here.
    #[must_use]
    pub fn process_name(&self) -> Option<String> {
        Some(self.running.as_ref()?.0.with(|process| process.name().to_owned()))
    }

    pub(super) fn control(&self, method: &str, args: Vec<Object>) -> Result<Object, CallError> {
        self.session()?.control(method, args, vec![])
    }

    fn session(&self) -> Result<Arc<Session>, CallError> {
        let slot = self.session.get(|_| Mutex::default());
        let lock = || slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = lock().as_ref().filter(|session| !session.is_over()) {
            return Ok(session.clone());
        }
        // Not under the lock: the server may be one that does not answer.
        let begun = Session::with(&self.endpoint)?;
        let over = lock().replace(begun.clone());
        drop(over);
        Ok(begun)
    }
}

impl fmt::Debug for BaseManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BaseManager")
            .field("address", self.address())
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}
