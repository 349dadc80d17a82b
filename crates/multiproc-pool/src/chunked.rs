//! A pool with chunks of a size of the user's choice.

use multiproc_image::Function;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    AsyncResult, Pool, TaskError, ThreadPool,
    calls::Calls,
    thread_pool::{ThreadFunction, calls},
};

/// A pool seen with a chunk size; returned by [`Pool::chunksize`] and [`ThreadPool::chunksize`].
///
/// # Python
///
/// The argument `chunksize` of `map`, `map_async`, `starmap` and `starmap_async`.
#[derive(Debug)]
#[must_use = "it does nothing until it is asked to map"]
pub struct Chunked<'p, P> {
    pool: &'p P,
    chunksize: usize,
}

impl<'p, P> Chunked<'p, P> {
    pub(crate) fn new(pool: &'p P, chunksize: usize) -> Self {
        assert!(chunksize > 0, "chunksize must be at least 1, not {chunksize}");
        Self { pool, chunksize }
    }
}

impl Chunked<'_, Pool> {
    /// Calls `function` with each item; else as [`Pool::map`].
    ///
    /// # Errors
    ///
    /// As there.
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
        let items = items.into_iter().map(|item| (item,));
        self.pool.core.map(Calls::wire(function)?, items, Some(self.chunksize))
    }

    /// Has `function` called with each item; else as [`Pool::map_async`].
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
        let items = items.into_iter().map(|item| (item,));
        self.pool.core.map_async(Calls::wire(function), items, Some(self.chunksize))
    }

    /// Calls `function` with each tuple of arguments; else as [`Pool::starmap`].
    ///
    /// # Errors
    ///
    /// As there.
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
        self.pool.core.map(Calls::wire(function)?, items.into_iter(), Some(self.chunksize))
    }

    /// Has `function` called with each tuple of arguments; else as [`Pool::starmap_async`].
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
        self.pool.core.map_async(Calls::wire(function), items.into_iter(), Some(self.chunksize))
    }
}

impl Chunked<'_, ThreadPool> {
    /// Calls `function` with each item; else as [`ThreadPool::map`].
    ///
    /// # Errors
    ///
    /// As there.
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
        let items = items.into_iter().map(|item| (item,));
        self.pool.core.map(calls(function), items, Some(self.chunksize))
    }

    /// Has `function` called with each item; else as [`ThreadPool::map_async`].
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
        let items = items.into_iter().map(|item| (item,));
        self.pool.core.map_async(Ok(calls(function)), items, Some(self.chunksize))
    }

    /// Calls `function` with each tuple of arguments; else as [`ThreadPool::starmap`].
    ///
    /// # Errors
    ///
    /// As there.
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
        self.pool.core.map(calls(function), items.into_iter(), Some(self.chunksize))
    }

    /// Has `function` called with each tuple of arguments; else as [`ThreadPool::starmap_async`].
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
        self.pool.core.map_async(Ok(calls(function)), items.into_iter(), Some(self.chunksize))
    }
}
