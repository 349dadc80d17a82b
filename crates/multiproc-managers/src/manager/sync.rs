//! The manager of the standard types.

use std::{ops::Deref, time::Duration};

use multiproc_wire::pickle::Object;
use serde::Serialize;

use super::{BaseManager, Builder};
use crate::{
    ArrayProxy, BarrierProxy, CallError, ConditionProxy, DictProxy, EventProxy, JoinableQueueProxy,
    ListProxy, LockProxy, ManagerError, NamespaceProxy, PoolProxy, QueueProxy, RLockProxy,
    SemaphoreProxy, SetProxy, TypeCode, TypedProxy, ValueProxy,
    proxies::{object, objects, pairs},
};

/// Python's `multiprocessing.Manager`: [`Manager::start`](SyncManager::start).
pub type Manager = SyncManager;

/// A manager of dicts, lists, queues, locks and their kin.
///
/// All that a [`BaseManager`] does, it does too.
///
/// # If a process dies
///
/// As for a [`BaseManager`].
///
/// # Python
///
/// `multiprocessing.managers.SyncManager`, and `multiprocessing.Manager()`, which starts one.
///
/// # Errors
///
/// The methods that make shared objects return [`CallError`] when the server cannot be reached, or
/// the arguments are wrong.
///
/// # Examples
///
/// ```
/// use multiproc_managers::{DictProxy, ListProxy, Manager};
/// use multiproc_process::Process;
///
/// fn work(dict: DictProxy<String, i64>, list: ListProxy<i64>) {
///     dict.set("one", &1).unwrap();
///     list.reverse().unwrap();
/// }
///
/// multiproc_image::entry::init();
/// let manager = Manager::start()?;
/// let (dict, list) = (manager.dict([])?, manager.list(0..3)?);
/// Process::builder().start(work, (dict.clone(), list.clone()))?.result()?;
/// assert_eq!(dict.to_string(), "{'one': 1}");
/// assert_eq!(list.to_string(), "[2, 1, 0]");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping a manager shuts its server down"]
pub struct SyncManager(BaseManager);

impl SyncManager {
    /// Starts a server in a process of its own.
    ///
    /// # Errors
    ///
    /// As [`Builder::start`].
    pub fn start() -> Result<Self, ManagerError> {
        Self::builder().start().map(Self)
    }

    /// Begins to describe a manager that knows the standard types.
    pub fn builder() -> Builder {
        Builder::new("SyncManager").sync_types()
    }

    /// Makes a shared list of these items.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn list<T: Serialize>(
        &self,
        items: impl IntoIterator<Item = T>,
    ) -> Result<ListProxy<T>, CallError> {
        let (items, _kept) = objects(items)?;
        self.make("list", vec![items])
    }

    /// Makes a shared dict of these items.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn dict<K: Serialize, V: Serialize>(
        &self,
        items: impl IntoIterator<Item = (K, V)>,
    ) -> Result<DictProxy<K, V>, CallError> {
        let (items, _kept) = pairs(items)?;
        self.make("dict", vec![items])
    }

    /// Makes a shared set of these members.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn set<T: Serialize>(
        &self,
        members: impl IntoIterator<Item = T>,
    ) -> Result<SetProxy<T>, CallError> {
        let (members, _kept) = objects(members)?;
        self.make("set", vec![members])
    }

    /// Makes a shared namespace with these values by name.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    #[doc(alias = "Namespace")]
    pub fn namespace<'a, V: Serialize>(
        &self,
        values: impl IntoIterator<Item = (&'a str, V)>,
    ) -> Result<NamespaceProxy, CallError> {
        let (values, _kept) = pairs(values)?;
        let Object::Dict(values) = values else { return Err(CallError::Malformed) };
        Ok(self.request("Namespace", vec![], values)?.into())
    }

    /// Makes a shared queue of at most so many items, or without a limit for 0.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    #[doc(alias = "Queue")]
    pub fn queue<T>(&self, most: usize) -> Result<QueueProxy<T>, CallError> {
        self.make("Queue", vec![most.into()])
    }

    /// Makes a shared queue that counts what is done, of at most so many items, or without a limit
    /// for 0.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    #[doc(alias = "JoinableQueue")]
    pub fn joinable_queue<T>(&self, most: usize) -> Result<JoinableQueueProxy<T>, CallError> {
        self.make("JoinableQueue", vec![most.into()])
    }

    /// Makes a shared number.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    #[doc(alias = "Value")]
    pub fn value<T: TypeCode>(&self, value: T) -> Result<ValueProxy<T>, CallError> {
        self.make("Value", vec![T::CODE.into(), object(&value)?])
    }

    /// Makes a shared value of any type, with a type code that is only shown.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn value_of<T: Serialize>(
        &self,
        code: &str,
        value: &T,
    ) -> Result<ValueProxy<T>, CallError> {
        self.make("Value", vec![code.into(), object(value)?])
    }

    /// Makes shared numbers of one type.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    #[doc(alias = "Array")]
    pub fn array<T: TypeCode>(
        &self,
        items: impl IntoIterator<Item = T>,
    ) -> Result<ArrayProxy<T>, CallError> {
        let (items, _kept) = objects(items)?;
        self.make("Array", vec![T::CODE.into(), items])
    }

    /// Makes a shared lock.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    #[doc(alias = "Lock")]
    pub fn lock(&self) -> Result<LockProxy, CallError> {
        self.make("Lock", vec![])
    }

    /// Makes a shared recursive lock.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    #[doc(alias = "RLock")]
    pub fn rlock(&self) -> Result<RLockProxy, CallError> {
        self.make("RLock", vec![])
    }

    /// Makes a shared semaphore with so many units.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    #[doc(alias = "Semaphore")]
    pub fn semaphore(&self, value: u32) -> Result<SemaphoreProxy, CallError> {
        self.make("Semaphore", vec![value.into()])
    }

    /// Makes a shared semaphore that never has more units than at first.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    #[doc(alias = "BoundedSemaphore")]
    pub fn bounded_semaphore(&self, value: u32) -> Result<SemaphoreProxy, CallError> {
        self.make("BoundedSemaphore", vec![value.into()])
    }

    /// Makes a shared condition with a recursive lock of its own.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    #[doc(alias = "Condition")]
    pub fn condition(&self) -> Result<ConditionProxy, CallError> {
        self.make("Condition", vec![])
    }

    /// Makes a shared condition with a lock of this manager: a [`LockProxy`] or [`RLockProxy`].
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn condition_with(&self, lock: &impl TypedProxy) -> Result<ConditionProxy, CallError> {
        self.make("Condition", vec![lock.as_proxy().clone().into_object()])
    }

    /// Makes a shared event.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    #[doc(alias = "Event")]
    pub fn event(&self) -> Result<EventProxy, CallError> {
        self.make("Event", vec![])
    }

    /// Makes a shared barrier for so many.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    #[doc(alias = "Barrier")]
    pub fn barrier(&self, parties: u32) -> Result<BarrierProxy, CallError> {
        self.make("Barrier", vec![parties.into()])
    }

    /// Makes a shared barrier that breaks when one waits so long.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn barrier_timeout(
        &self,
        parties: u32,
        timeout: Duration,
    ) -> Result<BarrierProxy, CallError> {
        self.make("Barrier", vec![parties.into(), Object::None, timeout.as_secs_f64().into()])
    }

    /// Makes a pool of so many worker processes in the server.
    ///
    /// # Errors
    ///
    /// [`CallError::Remote`] when there are to be none, or they cannot be started.
    #[doc(alias = "Pool")]
    pub fn pool(&self, processes: usize) -> Result<PoolProxy, CallError> {
        self.make("Pool", vec![processes.into()])
    }

    /// Ends the server, as [`BaseManager::shutdown`] does.
    ///
    /// # Errors
    ///
    /// As [`BaseManager::shutdown`].
    pub fn shutdown(self) -> Result<(), ManagerError> {
        self.0.shutdown()
    }

    /// Returns what knows shared objects by their types' names only.
    pub fn into_base(self) -> BaseManager {
        self.0
    }

    fn make<P: TypedProxy>(&self, typeid: &str, args: Vec<Object>) -> Result<P, CallError> {
        Ok(self.request(typeid, args, vec![])?.into())
    }
}

impl Deref for SyncManager {
    type Target = BaseManager;

    fn deref(&self) -> &BaseManager {
        &self.0
    }
}

/// Takes a manager to be one of the standard types, as of a server that somebody else serves.
impl From<BaseManager> for SyncManager {
    fn from(manager: BaseManager) -> Self {
        Self(manager)
    }
}
