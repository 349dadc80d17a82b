//! The iterator over results.

use std::{collections::VecDeque, fmt, time::Duration, time::Instant};

use crate::{
    TaskError, TimeoutError,
    calls::{Calls, Packer},
    core::{Core, Ticket, deadline},
    job::Task,
    progress::Bar,
    unpack::Unpack,
};

/// How many chunks a worker are under way unless the user says otherwise: at first, and at most.
const AHEAD: usize = 16;
const MOST_AHEAD: usize = 512;
/// How long items are gathered before they are sent.
const SOON: Duration = Duration::from_micros(200);
/// If a quarter of what is under way takes longer than this, less is.
const LATE: Duration = Duration::from_millis(10);

/// An iterator over the results of a function called with each item; made by [`Pool::imap`](crate::Pool::imap) and
/// [`Pool::imap_unordered`](crate::Pool::imap_unordered).
///
/// It takes items as it is asked for results: at most [`buffersize`](Self::buffersize) of them are under way, so an
/// endless or slow input is no trouble. An item that fails is an `Err` in its place, and the iteration goes on.
///
/// Dropped early, it leaves what is queued undone.
///
/// # If a process dies
///
/// As for [`Pool`](crate::Pool).
///
/// # Python
///
/// What `Pool.imap` returns. There the input is taken by a thread, without bound; and an item that fails because the
/// input raises is here a panic of whoever asks.
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
pub struct Imap<'p, I: Iterator, R> {
    core: &'p Core,
    items: I,
    /// None if it could not even be begun, or is over.
    flow: Option<Flow<I::Item, R>>,
    chunksize: usize,
    buffersize: Option<usize>,
    is_ordered: bool,
    is_exhausted: bool,
    /// How many items may be ahead, as last seen, and how many chunks a worker that is by default.
    window: usize,
    ahead: usize,
    /// When items were last taken, and whether results had to be waited for since.
    filled: Instant,
    has_waited: bool,
    /// How many results were given back.
    given: usize,
    /// What is done and not given back yet: ordered, by place from `given` on.
    ready: VecDeque<Option<Result<R, TaskError>>>,
    /// What comes last.
    last: Option<TaskError>,
    bar: Bar,
}

/// Calls on their way.
struct Flow<T, R> {
    ticket: Ticket,
    packer: Packer<(T,)>,
    unpack: Unpack<R>,
    /// How many calls the pool would not have.
    refused: usize,
    /// How many are back.
    back: usize,
}

impl<T, R> Flow<T, R> {
    /// How many calls are with the pool.
    fn away(&self) -> usize {
        self.packer.place - self.refused - self.back
    }
}

impl<'p, I: Iterator, R> Imap<'p, I, R> {
    pub(crate) fn new(
        core: &'p Core,
        calls: Result<Calls<(I::Item,), R>, TaskError>,
        items: I,
        is_ordered: bool,
    ) -> Self {
        let (flow, last) = match calls {
            Ok(calls) => {
                let ticket = core.ticket(&calls);
                let packer = calls.packer(ticket.job.clone(), 1);
                let unpack = calls.unpack;
                (Some(Flow { ticket, packer, unpack, refused: 0, back: 0 }), None)
            }
            Err(err) => (None, Some(err)),
        };
        Self {
            core,
            items,
            flow,
            chunksize: 1,
            buffersize: None,
            is_ordered,
            is_exhausted: false,
            window: 1,
            ahead: AHEAD,
            filled: Instant::now(),
            has_waited: false,
            given: 0,
            ready: VecDeque::new(),
            last,
            bar: Bar::none(),
        }
    }

    /// Sets how many items are sent to a worker at a time, 1 by default: larger chunks cost less per item.
    ///
    /// # Panics
    ///
    /// Panics if it is 0. Python raises `ValueError`.
    pub fn chunksize(mut self, chunksize: usize) -> Self {
        assert!(chunksize > 0, "chunksize must be at least 1, not {chunksize}");
        self.chunksize = chunksize;
        if let Some(flow) = &mut self.flow {
            flow.packer.chunksize = chunksize;
        }
        self
    }

    /// Sets how many items at most are taken ahead of the results that were given back, by default 16 chunks a worker, and
    /// up to 512 while a part of the calls is done within 200 microseconds.
    ///
    /// # Panics
    ///
    /// Panics if it is 0.
    ///
    /// # Python
    ///
    /// `buffersize` of 3.16.
    pub fn buffersize(mut self, buffersize: usize) -> Self {
        assert!(buffersize > 0, "buffersize must be at least 1, not {buffersize}");
        self.buffersize = Some(buffersize);
        self
    }

    /// Shows on stderr how far it has come: how many items are done, how many a second, how many have failed, and how
    /// long it will still take if the input knows its length. On no terminal nothing is shown.
    ///
    /// # Python
    ///
    /// What `tqdm` does for an iterator.
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let pool = multiproc_pool::Pool::new(2)?;
    /// assert_eq!(pool.imap_unordered(|x: u64| x / 2, 0..1000).progress("halving").count(), 1000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "progress")]
    pub fn progress(mut self, label: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        let (least, most) = self.items.size_hint();
        self.bar = Bar::new(label.into(), most.filter(|most| *most == least));
        self
    }

    /// The next result, waited for no longer than `timeout`. A result that was not there in time can be had later.
    ///
    /// Time that the input takes to give its items is not counted.
    ///
    /// # Errors
    ///
    /// [`TimeoutError`].
    ///
    /// # Python
    ///
    /// `next(timeout)`, there for chunks of one item only.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{thread, time::Duration};
    ///
    /// multiproc_image::entry::init();
    ///
    /// let pool = multiproc_pool::Pool::new(1)?;
    /// let mut results = pool.imap(|ms: u64| thread::sleep(Duration::from_millis(ms)), [200]);
    /// assert!(results.next_timeout(Duration::from_millis(1)).is_err());
    /// assert!(results.next().is_some());
    /// assert_eq!(results.next_timeout(Duration::from_millis(1)), Ok(None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn next_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<Result<R, TaskError>>, TimeoutError> {
        self.next_until(deadline(timeout)).ok_or(TimeoutError(timeout))
    }

    /// The next result; none if it has not come by then.
    fn next_until(&mut self, until: Option<Instant>) -> Option<Option<Result<R, TaskError>>> {
        loop {
            if let Some(next) = self.step() {
                return Some(next);
            }
            let Some(flow) = &self.flow else { continue };
            if !flow.ticket.hub.wait_some(&flow.ticket.job, until) {
                if flow.ticket.hub.is_here() {
                    return None;
                }
                self.end(TaskError::NotRunning);
            }
        }
    }

    /// Does what can be done without waiting: the next result, or that there is none; none at all if it has to be
    /// waited for.
    pub(crate) fn step(&mut self) -> Option<Option<Result<R, TaskError>>> {
        if !self.has_next() {
            self.collect();
        }
        self.fill();
        if let Some(result) = self.pop() {
            self.bar.add(result.is_err());
            return Some(Some(result));
        }
        if self.flow.as_ref().is_some_and(|flow| flow.away() > 0) {
            self.has_waited = true;
            return None;
        }
        self.flow = None;
        self.bar.finish();
        Some(self.last.take().map(Err))
    }

    /// Takes items and hands them to the pool, as far as the window allows.
    fn fill(&mut self) {
        // Not for every single result: several items together cost less.
        if self.is_exhausted || self.ahead() > self.window - (self.window / 4).max(1) {
            return;
        }
        let Some(flow) = &self.flow else { return };
        let mut since = Instant::now();
        let turn = since.saturating_duration_since(self.filled);
        self.filled = since;
        if std::mem::take(&mut self.has_waited) && turn < SOON {
            // Else this thread and the workers would be woken for a few calls each.
            self.ahead = MOST_AHEAD.min(self.ahead * 2);
        } else if turn > LATE {
            self.ahead = AHEAD.max(self.ahead / 2);
        }
        let size = flow.ticket.hub.size().max(1);
        let window = self.buffersize.unwrap_or(self.ahead * self.chunksize * size);
        self.window = window;
        while !self.is_exhausted && self.ahead() < window {
            let Some(flow) = &mut self.flow else { return };
            let Some(item) = self.items.next() else {
                self.is_exhausted = true;
                break;
            };
            if flow.packer.push((item,)) {
                let tasks = flow.packer.take();
                self.submit(tasks);
            }
            // Where the input is slow, what it has given must not wait for the rest, nor must results.
            let ends = self.flow.as_ref().is_some_and(|flow| !flow.packer.is_within_chunk());
            if ends && since.elapsed() > SOON {
                self.flush();
                self.collect();
                if self.is_exhausted || self.has_next() {
                    return;
                }
                since = Instant::now();
            }
        }
        self.flush();
    }

    /// How many items are taken ahead of the results that were given back.
    fn ahead(&self) -> usize {
        self.flow.as_ref().map_or(0, |flow| flow.packer.place - flow.refused - self.given)
    }

    /// Hands over what there is.
    fn flush(&mut self) {
        let Some(flow) = &mut self.flow else { return };
        let tasks = flow.packer.end();
        self.submit(tasks);
    }

    fn submit(&mut self, tasks: Vec<Task>) {
        let Some(flow) = &mut self.flow else { return };
        if tasks.is_empty() {
            return;
        }
        let count: usize = tasks.iter().map(|task| task.count).sum();
        if let Err(err) = flow.ticket.submit(tasks) {
            // The pool takes no more: what is with it still comes, then this error, then nothing.
            flow.refused += count;
            self.is_exhausted = true;
            self.last = Some(err);
        }
    }

    /// Takes what is done.
    fn collect(&mut self) {
        let Some(flow) = &mut self.flow else { return };
        while let Some(done) = flow.ticket.job.take() {
            flow.back += done.count;
            let (ready, given, is_ordered) = (&mut self.ready, self.given, self.is_ordered);
            (flow.unpack)(done, &mut |place, result| {
                if !is_ordered {
                    return ready.push_back(Some(result));
                }
                let at = place - given;
                if ready.len() <= at {
                    ready.resize_with(at + 1, || None);
                }
                ready[at] = Some(result);
            });
        }
    }

    /// True if the next result is there.
    fn has_next(&self) -> bool {
        self.ready.front().is_some_and(Option::is_some)
    }

    fn pop(&mut self) -> Option<Result<R, TaskError>> {
        let result = self.ready.front_mut()?.take()?;
        self.ready.pop_front();
        self.given += 1;
        Some(result)
    }

    /// Ends with an error.
    pub(crate) fn end(&mut self, err: TaskError) {
        self.flow = None;
        self.last = Some(err);
    }

    /// Has `waker` woken when there may be something to give back.
    #[cfg(feature = "futures")]
    pub(crate) fn wake(&self, waker: &std::task::Waker) -> bool {
        let Some(flow) = &self.flow else { return true };
        flow.ticket.job.wake(waker, true);
        flow.ticket.hub.attend();
        flow.ticket.hub.help()
    }
}

impl<I: Iterator, R> Iterator for Imap<'_, I, R> {
    type Item = Result<R, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_until(None).flatten()
    }
}

/// Once it has given none, it gives none for ever, whatever the input does.
impl<I: Iterator, R> std::iter::FusedIterator for Imap<'_, I, R> {}

impl<I: Iterator, R> fmt::Debug for Imap<'_, I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap")
            .field("pool", &format_args!("{:?}", self.core.hub.size()))
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}
