//! The iterator over results.

use std::{collections::BTreeMap, fmt, mem};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Pool, TaskError,
    order::{Program, encode},
    pool::JobHandle,
};

/// An iterator over the results of a function called with each item; made by [`Pool::imap`] and
/// [`Pool::imap_unordered`].
///
/// It takes items as it is asked for results: at most [`buffersize`](Self::buffersize) of them are under way, so an
/// endless or slow input is no trouble. An item that fails is an `Err` in its place, and the iteration goes on.
///
/// Dropped early, it leaves what is queued undone.
///
/// # If a process dies
///
/// As for [`Pool`].
///
/// # Python
///
/// What `Pool.imap` returns.
///
/// # Examples
///
/// ```
/// multiproc_image::entry::init();
///
/// let pool = multiproc_pool::Pool::new(2)?;
/// let mut sum = 0;
/// for half in pool.imap(|x: u64| x / 2, 0..1000).chunksize(50).buffersize(200) {
///     sum += half?;
/// }
/// assert_eq!(sum, 249_500);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "an iterator does nothing until it is asked for results"]
pub struct Imap<'p, I, R> {
    stage: Stage<'p>,
    pool: &'p Pool,
    items: I,
    chunksize: usize,
    buffersize: Option<usize>,
    is_ordered: bool,
    /// How many items were taken.
    taken: usize,
    /// How many of them were given back as results.
    given: usize,
    is_exhausted: bool,
    /// What is done and not given back yet, by place.
    done: BTreeMap<usize, Result<R, TaskError>>,
    /// How many items are with the pool.
    away: usize,
}

enum Stage<'p> {
    New(Result<Program, TaskError>),
    Running(JobHandle<'p>),
    Over,
}

impl<'p, I, R> Imap<'p, I, R> {
    pub(crate) fn new(
        pool: &'p Pool,
        program: Result<Program, TaskError>,
        items: I,
        is_ordered: bool,
    ) -> Self {
        Self {
            stage: Stage::New(program),
            pool,
            items,
            chunksize: 1,
            buffersize: None,
            is_ordered,
            taken: 0,
            given: 0,
            is_exhausted: false,
            done: BTreeMap::new(),
            away: 0,
        }
    }

    /// Sets how many items are sent to a worker at a time, 1 by default: larger chunks cost less per item.
    ///
    /// # Panics
    ///
    /// Panics if it is 0. Python raises `ValueError`.
    pub fn chunksize(mut self, chunksize: usize) -> Self {
        assert!(chunksize > 0, "chunksize must be at least 1");
        self.chunksize = chunksize;
        self
    }

    /// Sets how many items at most are taken ahead of the results that were given back, by default four chunks a worker.
    ///
    /// # Panics
    ///
    /// Panics if it is 0.
    ///
    /// # Python
    ///
    /// `buffersize` of 3.16.
    pub fn buffersize(mut self, buffersize: usize) -> Self {
        assert!(buffersize > 0, "buffersize must be at least 1");
        self.buffersize = Some(buffersize);
        self
    }
}

impl<I, R> Imap<'_, I, R>
where
    I: Iterator<Item: Serialize + 'static>,
    R: DeserializeOwned,
{
    /// Takes items and hands them to the pool, as far as the window allows.
    fn fill(&mut self) -> Result<(), TaskError> {
        let window = self.buffersize.unwrap_or(4 * self.chunksize * self.pool.processes());
        while !self.is_exhausted && self.taken - self.given < window {
            let room = window - (self.taken - self.given);
            let calls: Vec<(I::Item,)> =
                self.items.by_ref().take(self.chunksize.min(room)).map(|item| (item,)).collect();
            if calls.is_empty() {
                self.is_exhausted = true;
                break;
            }
            self.send(&calls)?;
        }
        Ok(())
    }

    fn send(&mut self, calls: &[(I::Item,)]) -> Result<(), TaskError> {
        let start = self.taken;
        match encode(calls) {
            Ok(input) => {
                let Stage::Running(job) = &self.stage else { return Err(TaskError::NotRunning) };
                job.submit(start, calls.len(), input)?;
                self.taken += calls.len();
                self.away += calls.len();
            }
            Err(err) if calls.len() == 1 => {
                self.taken += 1;
                self.done.insert(start, Err(err));
            }
            // One of them cannot be encoded: the others can.
            Err(_) => {
                for call in calls.chunks(1) {
                    self.send(call)?;
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), TaskError> {
        if let Stage::New(_) = self.stage
            && let Stage::New(program) = mem::replace(&mut self.stage, Stage::Over)
        {
            self.stage = Stage::Running(self.pool.open_job(program?)?);
        }
        Ok(())
    }

    fn pop(&mut self) -> Option<Result<R, TaskError>> {
        let result = if self.is_ordered {
            self.done.remove(&self.given)
        } else {
            self.done.pop_first().map(|(_, result)| result)
        };
        self.given += usize::from(result.is_some());
        result
    }
}

impl<I, R> Iterator for Imap<'_, I, R>
where
    I: Iterator<Item: Serialize + 'static>,
    R: DeserializeOwned,
{
    type Item = Result<R, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Stage::Over = self.stage {
                return None;
            }
            if let Err(err) = self.begin().and_then(|()| self.fill()) {
                // The pool takes no more: what is with it still comes, then this error, then nothing.
                self.is_exhausted = true;
                self.done.insert(self.taken, Err(err));
                self.taken += 1;
            }
            if let Some(result) = self.pop() {
                return Some(result);
            }
            match &self.stage {
                Stage::Running(job) if self.away > 0 => {
                    let (start, results) = job.wait();
                    self.away -= results.len();
                    self.done.extend((start..).zip(results));
                }
                _ => self.stage = Stage::Over,
            }
        }
    }
}

impl<I, R> fmt::Debug for Imap<'_, I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap")
            .field("taken", &self.taken)
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}
