//! A pool whose values are their own bytes.

use bytemuck::{AnyBitPattern, NoUninit};
use multiproc_image::Function;

use crate::{AsyncResult, Imap, Pool, TaskError, calls::Calls};

/// What is passed as its own bytes: numbers, arrays of them, and structs that say so by `bytemuck`.
pub trait PlainData: AnyBitPattern + NoUninit + Send {}

impl<T: AnyBitPattern + NoUninit + Send> PlainData for T {}

/// A pool whose arguments and results are plain data, which are copied and not encoded; made by [`Pool::plain`].
///
/// For many small numbers that is faster. The workers, and all that can be said of them, are the pool's.
///
/// # Python
///
/// Nothing like it.
///
/// # Examples
///
/// ```
/// multiproc_image::entry::init();
///
/// let pool = multiproc_pool::Pool::new(2)?;
/// let halves = pool.plain().map(|x: f64| x / 2.0, [1.0, 2.0, 3.0])?;
/// assert_eq!(halves, [0.5, 1.0, 1.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "it does nothing until it is asked to map"]
pub struct PlainPool<'p> {
    pool: &'p Pool,
    chunksize: Option<usize>,
}

impl<'p> PlainPool<'p> {
    pub(crate) fn new(pool: &'p Pool) -> Self {
        Self { pool, chunksize: None }
    }

    /// Sets how many items are sent to a worker at a time, by default four chunks a worker for `map`, 1 for `imap`.
    ///
    /// # Panics
    ///
    /// Panics if it is 0.
    pub fn chunksize(mut self, chunksize: usize) -> Self {
        assert!(chunksize > 0, "chunksize must be at least 1, not {chunksize}");
        self.chunksize = Some(chunksize);
        self
    }

    /// Calls `function` with each item in the workers and returns the results in the items' order.
    ///
    /// # Errors
    ///
    /// The [`TaskError`] of the first item that failed, once all are done.
    pub fn map<F, T>(
        &self,
        function: F,
        items: impl IntoIterator<Item = T>,
    ) -> Result<Vec<F::Output>, TaskError>
    where
        F: Function<(T,), Output: PlainData>,
        T: PlainData,
    {
        let items = items.into_iter().map(|item| (item,));
        self.pool.core.map(Calls::plain(function)?, items, self.chunksize)
    }

    /// As [`map`](Self::map), and returns at once.
    pub fn map_async<F, T>(
        &self,
        function: F,
        items: impl IntoIterator<Item = T>,
    ) -> AsyncResult<Vec<F::Output>>
    where
        F: Function<(T,), Output: PlainData>,
        T: PlainData,
    {
        let items = items.into_iter().map(|item| (item,));
        self.pool.core.map_async(Calls::plain(function), items, self.chunksize)
    }

    /// Calls `function` with each item in the workers, as results are asked for, and gives them in the items' order.
    pub fn imap<F, I>(&self, function: F, items: I) -> Imap<'p, I::IntoIter, F::Output>
    where
        F: Function<(I::Item,), Output: PlainData>,
        I: IntoIterator<Item: PlainData>,
    {
        self.imap_in(function, items, true)
    }

    /// As [`imap`](Self::imap), but gives the results as they come.
    pub fn imap_unordered<F, I>(&self, function: F, items: I) -> Imap<'p, I::IntoIter, F::Output>
    where
        F: Function<(I::Item,), Output: PlainData>,
        I: IntoIterator<Item: PlainData>,
    {
        self.imap_in(function, items, false)
    }

    fn imap_in<F, I>(
        &self,
        function: F,
        items: I,
        is_ordered: bool,
    ) -> Imap<'p, I::IntoIter, F::Output>
    where
        F: Function<(I::Item,), Output: PlainData>,
        I: IntoIterator<Item: PlainData>,
    {
        let results = self.pool.core.imap(Calls::plain(function), items.into_iter(), is_ordered);
        match self.chunksize {
            Some(chunksize) => results.chunksize(chunksize),
            None => results,
        }
    }
}
