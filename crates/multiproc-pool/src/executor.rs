//! A pool as `concurrent.futures` has it.

use multiproc_image::Function;
use serde::{Serialize, de::DeserializeOwned};

use crate::{AsyncResult, Imap, Pool, TaskError, ThreadPool, thread_pool::ThreadFunction};

/// A pool seen as an executor; returned by [`Pool::executor`] and [`ThreadPool::executor`].
///
/// # Python
///
/// `concurrent.futures.ProcessPoolExecutor` and `ThreadPoolExecutor`. What `submit` returns is an [`AsyncResult`], whose
/// [`get`](AsyncResult::get) is Python's `result`, [`ready`](AsyncResult::ready) its `done`, and
/// [`callback`](AsyncResult::callback) its `add_done_callback`; and it can be cancelled while it runs. `map` gives its
/// results as an iterator and takes its items as they are wanted.
///
/// # Examples
///
/// ```
/// multiproc_image::entry::init();
///
/// let pool = multiproc_pool::Pool::new(2)?;
/// let executor = pool.executor();
/// let future = executor.submit(u64::pow, (2, 10));
/// let squares: Result<Vec<_>, _> = executor.map(|x: u64| x * x, 0..4).collect();
/// assert_eq!((future.get()?, squares?), (1024, vec![0, 1, 4, 9]));
/// executor.shutdown();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Executor<'p, P> {
    pool: &'p P,
}

impl<'p, P> Executor<'p, P> {
    pub(crate) fn new(pool: &'p P) -> Self {
        Self { pool }
    }
}

impl<'p> Executor<'p, Pool> {
    /// Has `function` called with `args`; else as [`Pool::apply_async`].
    pub fn submit<F, Args>(&self, function: F, args: Args) -> AsyncResult<F::Output>
    where
        F: Function<Args>,
        F::Output: Serialize + DeserializeOwned + Send + 'static,
        Args: Serialize + DeserializeOwned + 'static,
    {
        self.pool.apply_async(function, args)
    }

    /// Calls `function` with each item; else as [`Pool::imap`].
    pub fn map<F, I>(&self, function: F, items: I) -> Imap<'p, I::IntoIter, F::Output>
    where
        F: Function<(I::Item,)>,
        F::Output: Serialize + DeserializeOwned,
        I: IntoIterator,
        I::Item: Serialize + DeserializeOwned + 'static,
    {
        self.pool.imap(function, items)
    }

    /// Closes the pool and waits until all is done.
    pub fn shutdown(&self) {
        self.pool.close();
        // It is closed, so there is nothing to complain of.
        let _ = self.pool.join();
    }

    /// Ends the pool: what is queued is cancelled, workers are ended.
    ///
    /// # Python
    ///
    /// `shutdown(cancel_futures=True)`, `terminate_workers`.
    pub fn shutdown_now(&self) {
        self.pool.core.hub.terminate(&TaskError::Cancelled);
        let _ = self.pool.join();
    }
}

impl<'p> Executor<'p, ThreadPool> {
    /// Has `function` called with `args`; else as [`ThreadPool::apply_async`].
    pub fn submit<F, Args>(&self, function: F, args: Args) -> AsyncResult<F::Output>
    where
        F: ThreadFunction<Args>,
        F::Output: Send + 'static,
        Args: Send + 'static,
    {
        self.pool.apply_async(function, args)
    }

    /// Calls `function` with each item; else as [`ThreadPool::imap`].
    pub fn map<F, I>(&self, function: F, items: I) -> Imap<'p, I::IntoIter, F::Output>
    where
        F: ThreadFunction<(I::Item,)>,
        F::Output: Send + 'static,
        I: IntoIterator,
        I::Item: Send + 'static,
    {
        self.pool.imap(function, items)
    }

    /// Closes the pool and waits until all is done.
    pub fn shutdown(&self) {
        self.pool.close();
        // It is closed, so there is nothing to complain of.
        let _ = self.pool.join();
    }

    /// Ends the pool: what is queued is cancelled, workers are ended.
    ///
    /// # Python
    ///
    /// `shutdown(cancel_futures=True)`, `terminate_workers`.
    pub fn shutdown_now(&self) {
        self.pool.core.hub.terminate(&TaskError::Cancelled);
        let _ = self.pool.join();
    }
}
