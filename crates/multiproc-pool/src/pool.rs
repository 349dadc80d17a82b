//! The pool.

use std::fmt;

use multiproc_image::Function;
use multiproc_process::Context;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    AsyncResult, Builder, Chunked, Executor, Imap, PlainPool, PoolError, PoolStats, StillOpen,
    TaskError,
    calls::Calls,
    core::Core,
    scheduler::Settings,
    worker::{Outfit, ProcessWorkers},
};

/// Worker processes that run functions of this program.
///
/// Dropping it ends the workers at once, as [`terminate`](Self::terminate) does.
///
/// # If a process dies
///
/// A worker that dies is replaced. The call that it was at fails with [`TaskError::WorkerLost`], or is given to another
/// worker as often as [`Builder::retries`] says; so do calls of the same chunk that were done, but whose results it had
/// not sent. No other call notices. When this process dies, by SIGKILL too, its workers die with it.
///
/// # Python
///
/// `multiprocessing.Pool`, which hangs when a worker dies. A pool is no value that can be sent: that does not compile. In
/// a forked child of its maker it is only a memory, where all calls fail with [`TaskError::NotRunning`].
///
/// # Examples
///
/// ```
/// use multiproc_pool::Pool;
///
/// multiproc_image::entry::init();
///
/// let pool = Pool::new(2)?;
/// assert_eq!(pool.map(|x: u32| x * x, [1, 2, 3])?, [1, 4, 9]);
/// pool.close();
/// pool.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a pool ends its workers"]
pub struct Pool {
    pub(crate) core: Core,
}

impl Pool {
    /// Makes a pool of `processes` workers, of the default context.
    ///
    /// # Errors
    ///
    /// [`PoolError`]; there is then no worker left.
    pub fn new(processes: usize) -> Result<Self, PoolError> {
        Self::builder().processes(processes).build()
    }

    /// Begins to describe a pool.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn make(
        context: Context,
        outfit: Outfit,
        settings: Settings,
    ) -> Result<Self, PoolError> {
        let workers = ProcessWorkers::new(context, outfit);
        Ok(Self { core: Core::start(workers, settings)? })
    }

    /// Calls `function` with `args` in a worker and returns what it returns.
    ///
    /// # Errors
    ///
    /// [`TaskError`].
    ///
    /// # Python
    ///
    /// `Pool.apply`.
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let pool = multiproc_pool::Pool::new(1)?;
    /// assert_eq!(pool.apply(i32::pow, (2, 10))?, 1024);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply<F, Args>(&self, function: F, args: Args) -> Result<F::Output, TaskError>
    where
        F: Function<Args>,
        F::Output: Serialize + DeserializeOwned,
        Args: Serialize + DeserializeOwned + 'static,
    {
        self.core.apply(Calls::wire(function)?, args)
    }

    /// Has `function` called with `args` in a worker, and returns at once.
    ///
    /// Whatever goes wrong is in the result.
    ///
    /// # Python
    ///
    /// `Pool.apply_async`.
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let pool = multiproc_pool::Pool::new(2)?;
    /// let (one, two) = (pool.apply_async(u64::pow, (2, 10)), pool.apply_async(u64::pow, (3, 3)));
    /// assert_eq!(one.get()? + two.get()?, 1051);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply_async<F, Args>(&self, function: F, args: Args) -> AsyncResult<F::Output>
    where
        F: Function<Args>,
        F::Output: Serialize + DeserializeOwned + Send + 'static,
        Args: Serialize + DeserializeOwned + 'static,
    {
        self.core.apply_async(Calls::wire(function), args)
    }

    /// Calls `function` with each item in the workers and returns the results in the items' order.
    ///
    /// All items are taken first. They are sent in chunks, four a worker, unless [`chunksize`](Self::chunksize) says
    /// otherwise; [`imap`](Self::imap) takes them as they are wanted, and says which of them failed.
    ///
    /// # Errors
    ///
    /// The [`TaskError`] of the first item that failed, once all are done.
    ///
    /// # Python
    ///
    /// `Pool.map`.
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let pool = multiproc_pool::Pool::new(2)?;
    /// let lengths = pool.map(|word: String| word.len(), ["one".into(), "three".into()])?;
    /// assert_eq!(lengths, [3, 5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map<F, T>(
        &self,
        function: F,
        items: impl IntoIterator<Item = T>,
    ) -> Result<Vec<F::Output>, TaskError>
    where
        F: Function<(T,)>,
        F::Output: Serialize + DeserializeOwned,
        T: Serialize + DeserializeOwned + 'static,
    {
        self.core.map(Calls::wire(function)?, items.into_iter().map(|item| (item,)), None)
    }

    /// Has `function` called with each item in the workers, and returns when the items are taken.
    ///
    /// # Python
    ///
    /// `Pool.map_async`.
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let pool = multiproc_pool::Pool::new(2)?;
    /// assert_eq!(pool.map_async(|x: u64| x * x, 0..4).get()?, [0, 1, 4, 9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_async<F, T>(
        &self,
        function: F,
        items: impl IntoIterator<Item = T>,
    ) -> AsyncResult<Vec<F::Output>>
    where
        F: Function<(T,)>,
        F::Output: Serialize + DeserializeOwned + Send + 'static,
        T: Serialize + DeserializeOwned + 'static,
    {
        self.core.map_async(Calls::wire(function), items.into_iter().map(|item| (item,)), None)
    }

    /// Calls `function` with each tuple of arguments; else as [`map`](Self::map).
    ///
    /// # Errors
    ///
    /// As [`map`](Self::map).
    ///
    /// # Python
    ///
    /// `Pool.starmap`.
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let pool = multiproc_pool::Pool::new(2)?;
    /// assert_eq!(pool.starmap(u64::pow, [(2, 10), (3, 3)])?, [1024, 27]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn starmap<F, Args>(
        &self,
        function: F,
        items: impl IntoIterator<Item = Args>,
    ) -> Result<Vec<F::Output>, TaskError>
    where
        F: Function<Args>,
        F::Output: Serialize + DeserializeOwned,
        Args: Serialize + DeserializeOwned + 'static,
    {
        self.core.map(Calls::wire(function)?, items.into_iter(), None)
    }

    /// Has `function` called with each tuple of arguments; else as [`map_async`](Self::map_async).
    ///
    /// # Python
    ///
    /// `Pool.starmap_async`.
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let pool = multiproc_pool::Pool::new(2)?;
    /// assert_eq!(pool.starmap_async(u64::pow, [(2, 10), (3, 3)]).get()?, [1024, 27]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn starmap_async<F, Args>(
        &self,
        function: F,
        items: impl IntoIterator<Item = Args>,
    ) -> AsyncResult<Vec<F::Output>>
    where
        F: Function<Args>,
        F::Output: Serialize + DeserializeOwned + Send + 'static,
        Args: Serialize + DeserializeOwned + 'static,
    {
        self.core.map_async(Calls::wire(function), items.into_iter(), None)
    }

    /// Calls `function` with each item in the workers and gives the results in the items' order, as an iterator.
    ///
    /// # Python
    ///
    /// `Pool.imap`, which takes all items at once; this takes them as results are wanted, see [`Imap`].
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let pool = multiproc_pool::Pool::new(2)?;
    /// let first = pool.imap(|x: u64| x * x, 0..).take(4).collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(first, [0, 1, 4, 9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn imap<F, I>(&self, function: F, items: I) -> Imap<'_, I::IntoIter, F::Output>
    where
        F: Function<(I::Item,)>,
        F::Output: Serialize + DeserializeOwned,
        I: IntoIterator,
        I::Item: Serialize + DeserializeOwned + 'static,
    {
        self.core.imap(Calls::wire(function), items.into_iter(), true)
    }

    /// Calls `function` with each item in the workers and gives the results as they come, as an iterator.
    ///
    /// # Python
    ///
    /// `Pool.imap_unordered`.
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let pool = multiproc_pool::Pool::new(2)?;
    /// let mut squares = pool.imap_unordered(|x: u64| x * x, 0..4).collect::<Result<Vec<_>, _>>()?;
    /// squares.sort_unstable();
    /// assert_eq!(squares, [0, 1, 4, 9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn imap_unordered<F, I>(&self, function: F, items: I) -> Imap<'_, I::IntoIter, F::Output>
    where
        F: Function<(I::Item,)>,
        F::Output: Serialize + DeserializeOwned,
        I: IntoIterator,
        I::Item: Serialize + DeserializeOwned + 'static,
    {
        self.core.imap(Calls::wire(function), items.into_iter(), false)
    }

    /// The same pool, with chunks of this size in `map`, `starmap` and their kin.
    ///
    /// # Panics
    ///
    /// Panics if it is 0. Python raises `ValueError` or gives nonsense.
    ///
    /// # Python
    ///
    /// `chunksize` of `Pool.map`.
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let pool = multiproc_pool::Pool::new(2)?;
    /// assert_eq!(pool.chunksize(20).map(|x: u64| x * x, 0..100)?[99], 9801);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn chunksize(&self, chunksize: usize) -> Chunked<'_, Self> {
        Chunked::new(self, chunksize)
    }

    /// Returns this pool as one whose arguments and results are plain data, which are copied and not encoded.
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let pool = multiproc_pool::Pool::new(2)?;
    /// assert_eq!(pool.plain().map(|x: u64| x * x, 0..1000)?[999], 998_001);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn plain(&self) -> PlainPool<'_> {
        PlainPool::new(self)
    }

    /// The same pool, as `concurrent.futures` would have it.
    pub fn executor(&self) -> Executor<'_, Self> {
        Executor::new(self)
    }

    /// The number of workers that there should be.
    #[must_use]
    pub fn processes(&self) -> usize {
        self.core.hub.size()
    }

    /// How many workers have died so far without having been asked to.
    #[must_use]
    pub fn workers_lost(&self) -> u64 {
        self.core.hub.lost()
    }

    /// What the pool and each worker are at.
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let pool = multiproc_pool::Pool::new(2)?;
    /// pool.map(|x: u64| x * x, 0..100)?;
    /// let stats = pool.stats();
    /// assert_eq!((stats.done, stats.queued, stats.lost), (100, 0, 0));
    /// assert!(stats.workers.iter().all(|worker| worker.memory.is_some()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.core.hub.stats()
    }

    /// Has another number of workers from now on. Those that are too many end when they have done what they are at.
    ///
    /// # Errors
    ///
    /// [`PoolError::NoProcesses`] for 0, [`PoolError::NotRunning`] where there is no pool to be resized.
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let pool = multiproc_pool::Pool::new(1)?;
    /// pool.resize(3)?;
    /// assert_eq!(pool.processes(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resize(&self, processes: usize) -> Result<(), PoolError> {
        self.core.resize(processes)
    }

    /// Takes no more tasks; the workers exit when those there are are done.
    pub fn close(&self) {
        self.core.hub.close();
    }

    /// Ends the workers at once, and waits for none of them; what is not done fails with [`TaskError::NotRunning`].
    pub fn terminate(&self) {
        self.core.hub.terminate(&TaskError::NotRunning);
    }

    /// Waits until the workers of a closed or terminated pool have exited, and all callbacks were called.
    ///
    /// # Errors
    ///
    /// [`StillOpen`] for a pool that is neither closed nor terminated.
    pub fn join(&self) -> Result<(), StillOpen> {
        self.core.join()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.show("Pool", f)
    }
}
