//! The pool of threads.

use std::{fmt, num::NonZero, sync::Arc};

use multiproc_process::process_cpu_count;

use crate::{
    AsyncResult, Chunked, Executor, Imap, PoolError, PoolStats, StillOpen, TaskError,
    calls::Calls,
    core::Core,
    scheduler::Settings,
    worker::{ThreadOutfit, ThreadWorkers},
};

/// A function that threads can run: whatever it captures can be shared by threads.
///
/// Implemented for functions and closures with up to six arguments. You use it as a bound; there is no need to implement
/// it.
pub trait ThreadFunction<Args>: Send + Sync + 'static {
    /// What the function returns.
    type Output;

    /// Calls it.
    fn call_with(&self, args: Args) -> Self::Output;
}

macro_rules! functions {
    ($($argument:ident $value:ident)*) => {
        impl<Func, Output, $($argument,)*> ThreadFunction<($($argument,)*)> for Func
        where
            Func: Fn($($argument),*) -> Output + Send + Sync + 'static,
        {
            type Output = Output;

            fn call_with(&self, ($($value,)*): ($($argument,)*)) -> Output {
                self($($value),*)
            }
        }
    };
}

functions!();
functions!(A a);
functions!(A a B b);
functions!(A a B b C c);
functions!(A a B b C c D d);
functions!(A a B b C c D d E e);
functions!(A a B b C c D d E e G g);

pub(crate) fn calls<F, A>(function: F) -> Calls<A, F::Output>
where
    F: ThreadFunction<A>,
    F::Output: Send + 'static,
    A: Send + 'static,
{
    Calls::local(move |args| function.call_with(args))
}

/// Worker threads that run functions of this program: [`Pool`](crate::Pool) for functions that crash nothing.
///
/// Nothing is serialised, and closures may capture whatever threads may share. A panic costs its call only. A call cannot
/// be ended from outside, so there are no limits of time or memory.
///
/// Dropping it ends the workers as [`terminate`](Self::terminate) does, and waits for the calls that they are at.
///
/// # Python
///
/// `multiprocessing.pool.ThreadPool`.
///
/// # Examples
///
/// ```
/// use multiproc_pool::ThreadPool;
///
/// let words = std::sync::Arc::new(["zero", "one", "two"]);
/// let pool = ThreadPool::new(2)?;
/// assert_eq!(pool.map(move |at: usize| words[at].len(), [2, 0])?, [3, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a pool ends its workers"]
pub struct ThreadPool {
    pub(crate) core: Core,
}

/// Describes a pool of threads; begun by [`ThreadPool::builder`].
///
/// # Python
///
/// The arguments of `multiprocessing.pool.ThreadPool`.
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct ThreadBuilder {
    threads: Option<usize>,
    outfit: ThreadOutfit,
}

impl ThreadBuilder {
    /// Sets the number of threads; by default as many as this process may use processors.
    #[doc(alias = "processes")]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Has `function` called once in each thread, before its first task. If it panics, the pool is
    /// [broken](TaskError::PoolBroken), with the cause.
    pub fn initializer(mut self, function: impl Fn() + Send + Sync + 'static) -> Self {
        self.outfit.initializer = Some(Arc::new(function));
        self
    }

    /// Has `function` called in each thread that ends.
    pub fn finalizer(mut self, function: impl Fn() + Send + Sync + 'static) -> Self {
        self.outfit.finalizer = Some(Arc::new(function));
        self
    }

    /// Makes the pool and starts its threads.
    ///
    /// # Errors
    ///
    /// [`PoolError`]; there is then no thread left.
    pub fn build(self) -> Result<ThreadPool, PoolError> {
        let size = self.threads.unwrap_or_else(process_cpu_count);
        let settings = Settings {
            size: NonZero::new(size).ok_or(PoolError::NoProcesses)?.get(),
            retries: 0,
            task_timeout: None,
            max_tasks: None,
            idle_timeout: None,
            restarts: None,
        };
        Ok(ThreadPool { core: Core::start(ThreadWorkers::new(self.outfit), settings)? })
    }
}

impl fmt::Debug for ThreadBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadBuilder").field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl ThreadPool {
    /// Makes a pool of so many threads.
    ///
    /// # Errors
    ///
    /// [`PoolError`]; there is then no thread left.
    pub fn new(threads: usize) -> Result<Self, PoolError> {
        Self::builder().threads(threads).build()
    }

    /// Begins to describe a pool of threads.
    pub fn builder() -> ThreadBuilder {
        ThreadBuilder::default()
    }

    /// Calls `function` with `args` in a worker and returns what it returns.
    ///
    /// # Errors
    ///
    /// [`TaskError`].
    ///
    /// # Python
    ///
    /// `ThreadPool.apply`.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = multiproc_pool::ThreadPool::new(1)?;
    /// assert_eq!(pool.apply(i32::pow, (2, 10))?, 1024);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply<F, Args>(&self, function: F, args: Args) -> Result<F::Output, TaskError>
    where
        F: ThreadFunction<Args>,
        F::Output: Send + 'static,
        Args: Send + 'static,
    {
        self.core.apply(calls(function), args)
    }

    /// Has `function` called with `args` in a worker, and returns at once.
    ///
    /// Whatever goes wrong is in the result.
    ///
    /// # Python
    ///
    /// `ThreadPool.apply_async`.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = multiproc_pool::ThreadPool::new(2)?;
    /// let (one, two) = (pool.apply_async(u64::pow, (2, 10)), pool.apply_async(u64::pow, (3, 3)));
    /// assert_eq!(one.get()? + two.get()?, 1051);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply_async<F, Args>(&self, function: F, args: Args) -> AsyncResult<F::Output>
    where
        F: ThreadFunction<Args>,
        F::Output: Send + 'static,
        Args: Send + 'static,
    {
        self.core.apply_async(Ok(calls(function)), args)
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
    /// `ThreadPool.map`.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = multiproc_pool::ThreadPool::new(2)?;
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
        F: ThreadFunction<(T,)>,
        F::Output: Send + 'static,
        T: Send + 'static,
    {
        self.core.map(calls(function), items.into_iter().map(|item| (item,)), None)
    }

    /// Has `function` called with each item in the workers, and returns when the items are taken.
    ///
    /// # Python
    ///
    /// `ThreadPool.map_async`.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = multiproc_pool::ThreadPool::new(2)?;
    /// assert_eq!(pool.map_async(|x: u64| x * x, 0..4).get()?, [0, 1, 4, 9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_async<F, T>(
        &self,
        function: F,
        items: impl IntoIterator<Item = T>,
    ) -> AsyncResult<Vec<F::Output>>
    where
        F: ThreadFunction<(T,)>,
        F::Output: Send + 'static,
        T: Send + 'static,
    {
        self.core.map_async(Ok(calls(function)), items.into_iter().map(|item| (item,)), None)
    }

    /// Calls `function` with each tuple of arguments; else as [`map`](Self::map).
    ///
    /// # Errors
    ///
    /// As [`map`](Self::map).
    ///
    /// # Python
    ///
    /// `ThreadPool.starmap`.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = multiproc_pool::ThreadPool::new(2)?;
    /// assert_eq!(pool.starmap(u64::pow, [(2, 10), (3, 3)])?, [1024, 27]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn starmap<F, Args>(
        &self,
        function: F,
        items: impl IntoIterator<Item = Args>,
    ) -> Result<Vec<F::Output>, TaskError>
    where
        F: ThreadFunction<Args>,
        F::Output: Send + 'static,
        Args: Send + 'static,
    {
        self.core.map(calls(function), items.into_iter(), None)
    }

    /// Has `function` called with each tuple of arguments; else as [`map_async`](Self::map_async).
    ///
    /// # Python
    ///
    /// `ThreadPool.starmap_async`.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = multiproc_pool::ThreadPool::new(2)?;
    /// assert_eq!(pool.starmap_async(u64::pow, [(2, 10), (3, 3)]).get()?, [1024, 27]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn starmap_async<F, Args>(
        &self,
        function: F,
        items: impl IntoIterator<Item = Args>,
    ) -> AsyncResult<Vec<F::Output>>
    where
        F: ThreadFunction<Args>,
        F::Output: Send + 'static,
        Args: Send + 'static,
    {
        self.core.map_async(Ok(calls(function)), items.into_iter(), None)
    }

    /// Calls `function` with each item in the workers and gives the results in the items' order, as an iterator.
    ///
    /// # Python
    ///
    /// `ThreadPool.imap`, which takes all items at once; this takes them as results are wanted, see [`Imap`].
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = multiproc_pool::ThreadPool::new(2)?;
    /// let first = pool.imap(|x: u64| x * x, 0..).take(4).collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(first, [0, 1, 4, 9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn imap<F, I>(&self, function: F, items: I) -> Imap<'_, I::IntoIter, F::Output>
    where
        F: ThreadFunction<(I::Item,)>,
        F::Output: Send + 'static,
        I: IntoIterator,
        I::Item: Send + 'static,
    {
        self.core.imap(Ok(calls(function)), items.into_iter(), true)
    }

    /// Calls `function` with each item in the workers and gives the results as they come, as an iterator.
    ///
    /// # Python
    ///
    /// `ThreadPool.imap_unordered`.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = multiproc_pool::ThreadPool::new(2)?;
    /// let mut squares = pool.imap_unordered(|x: u64| x * x, 0..4).collect::<Result<Vec<_>, _>>()?;
    /// squares.sort_unstable();
    /// assert_eq!(squares, [0, 1, 4, 9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn imap_unordered<F, I>(&self, function: F, items: I) -> Imap<'_, I::IntoIter, F::Output>
    where
        F: ThreadFunction<(I::Item,)>,
        F::Output: Send + 'static,
        I: IntoIterator,
        I::Item: Send + 'static,
    {
        self.core.imap(Ok(calls(function)), items.into_iter(), false)
    }

    /// The same pool, with chunks of this size in `map`, `starmap` and their kin.
    ///
    /// # Panics
    ///
    /// Panics if it is 0. Python raises `ValueError` or gives nonsense.
    ///
    /// # Python
    ///
    /// `chunksize` of `ThreadPool.map`.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = multiproc_pool::ThreadPool::new(2)?;
    /// assert_eq!(pool.chunksize(20).map(|x: u64| x * x, 0..100)?[99], 9801);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn chunksize(&self, chunksize: usize) -> Chunked<'_, Self> {
        Chunked::new(self, chunksize)
    }

    /// The same pool, as `concurrent.futures` would have it.
    pub fn executor(&self) -> Executor<'_, Self> {
        Executor::new(self)
    }

    /// The number of workers that there should be.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.core.hub.size()
    }

    /// What the pool and each worker are at.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = multiproc_pool::ThreadPool::new(2)?;
    /// pool.map(|x: u64| x * x, 0..100)?;
    /// let stats = pool.stats();
    /// assert_eq!((stats.done, stats.queued, stats.lost), (100, 0, 0));
    /// assert_eq!(stats.workers.len(), 2);
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
    /// let pool = multiproc_pool::ThreadPool::new(1)?;
    /// pool.resize(3)?;
    /// assert_eq!(pool.threads(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resize(&self, threads: usize) -> Result<(), PoolError> {
        self.core.resize(threads)
    }

    /// Takes no more tasks; the workers exit when those there are are done.
    pub fn close(&self) {
        self.core.hub.close();
    }

    /// Ends the workers as soon as they have done the call that they are at, and waits for none of them; what is not done
    /// fails with [`TaskError::NotRunning`].
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

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.show("ThreadPool", f)
    }
}
