//! The pool.

use std::{
    fmt,
    num::NonZero,
    process,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use multiproc_image::Function;
use multiproc_wire::Message;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Builder, Imap, PoolError, TaskError,
    order::{Program, encode, results},
    scheduler::{Scheduler, Task},
    supervisor::Shared,
    worker::{ProcessWorker, ProcessWorkers},
};

/// A fixed number of worker processes that run functions of this program.
///
/// Dropping it ends the workers at once, as [`terminate`](Self::terminate) does.
///
/// # If a process dies
///
/// A worker that dies is replaced. The task that it had in hand fails with [`TaskError::WorkerLost`], or is given to
/// another worker as often as [`Builder::retries`] says; no other task notices. When this process dies, by SIGKILL too,
/// its workers die with it.
///
/// # Python
///
/// `multiprocessing.Pool`, which hangs when a worker dies. What is not here yet (`map_async`, `starmap`, initializers,
/// time and memory limits, statistics) comes with part 5.
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
/// pool.join();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a pool ends its workers"]
pub struct Pool {
    shared: Arc<Shared<ProcessWorkers>>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
    processes: usize,
    /// The process that made it; in a forked child of that, it is only a memory.
    maker: u32,
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

    pub(crate) fn make(processes: NonZero<usize>, builder: Builder) -> Result<Self, PoolError> {
        let workers = ProcessWorkers::new(builder.context);
        let (shared, supervisor) = Shared::start(workers, processes.get(), builder.retries)?;
        let supervisor = Mutex::new(Some(supervisor));
        Ok(Self { shared, supervisor, processes: processes.get(), maker: process::id() })
    }

    /// The number of workers.
    #[must_use]
    pub fn processes(&self) -> usize {
        self.processes
    }

    /// How many workers have died so far without having been asked to.
    #[must_use]
    pub fn workers_lost(&self) -> u64 {
        if self.maker == process::id() { self.shared.lock().lost() } else { 0 }
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
        let job = self.open_job(Program::new::<F, Args>(function)?)?;
        job.submit(0, 1, encode([args].as_slice())?)?;
        let mut results = job.wait::<F::Output>().1;
        results
            .pop()
            .unwrap_or_else(|| Err(TaskError::Decode("the worker answered nothing".into())))
    }

    /// Calls `function` with each item in the workers and returns the results in the items' order.
    ///
    /// All items are taken first. They are sent in chunks, four a worker; [`imap`](Self::imap) takes them as they are
    /// wanted, and says which of them failed.
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
        let job = self.open_job(Program::new::<F, (T,)>(function)?)?;
        let calls: Vec<(T,)> = items.into_iter().map(|item| (item,)).collect();
        let (total, mut left) = (calls.len(), 0);
        let chunksize = total.div_ceil(4 * self.processes).max(1);
        for (index, chunk) in calls.chunks(chunksize).enumerate() {
            job.submit(index * chunksize, chunk.len(), encode(chunk)?)?;
            left += chunk.len();
        }
        drop(calls);

        let mut results: Vec<Option<Result<F::Output, TaskError>>> =
            (0..total).map(|_| None).collect();
        while left > 0 {
            let (start, done) = job.wait();
            left -= done.len();
            for (place, result) in results[start..].iter_mut().zip(done) {
                *place = Some(result);
            }
        }
        results.into_iter().flatten().collect()
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
        Imap::new(self, Program::new::<F, (I::Item,)>(function), items.into_iter(), true)
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
        Imap::new(self, Program::new::<F, (I::Item,)>(function), items.into_iter(), false)
    }

    /// Takes no more tasks; the workers exit when those there are are done.
    pub fn close(&self) {
        self.change(Scheduler::close);
    }

    /// Ends the workers at once; what is not done fails with [`TaskError::NotRunning`].
    pub fn terminate(&self) {
        self.change(Scheduler::terminate);
    }

    /// Waits until the workers of a closed or terminated pool have exited; one that is still open is closed first.
    ///
    /// # Python
    ///
    /// `Pool.join`, which raises `ValueError` for a pool that is still open.
    pub fn join(&self) {
        if self.maker != process::id() {
            return;
        }
        self.close();
        self.shared.wait_over();
        let mut supervisor = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(supervisor) = supervisor.take() {
            // It does not panic but by a fault of ours, which has then been printed.
            let _ = supervisor.join();
        }
    }

    /// In a forked child of its maker a pool is only a memory, whose lock may be held for ever.
    fn change(&self, change: fn(&mut Scheduler<ProcessWorker>)) {
        if self.maker == process::id() {
            change(&mut self.shared.lock());
            self.shared.wake();
        }
    }

    pub(crate) fn open_job(&self, program: Program) -> Result<JobHandle<'_>, TaskError> {
        if self.maker != process::id() {
            return Err(TaskError::NotRunning);
        }
        let id = self.shared.lock().open_job(program)?;
        Ok(JobHandle { pool: self, id })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if self.maker == process::id() {
            self.terminate();
            self.join();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Pool");
        if self.maker == process::id() {
            debug.field("state", self.shared.lock().phase());
        }
        debug.field("pool_size", &self.processes).finish()
    }
}

/// A job that somebody waits for; dropped, it is forgotten.
pub(crate) struct JobHandle<'a> {
    pool: &'a Pool,
    id: u64,
}

impl JobHandle<'_> {
    /// Queues a chunk of `count` calls whose first has the place `start`.
    pub(crate) fn submit(
        &self,
        start: usize,
        count: usize,
        input: Message,
    ) -> Result<(), TaskError> {
        let task = Task { job: self.id, start, count, input, deaths: 0 };
        let mut scheduler = self.pool.shared.lock();
        scheduler.submit(task)?;
        // Here, so that an idle worker need not wait for the supervisor to wake up.
        scheduler.assign();
        drop(scheduler);
        self.pool.shared.wake();
        Ok(())
    }

    /// Waits for a chunk, and returns the place of its first call and the results.
    pub(crate) fn wait<R: DeserializeOwned>(&self) -> (usize, Vec<Result<R, TaskError>>) {
        let done = self.pool.shared.wait_done(self.id);
        let results = match done.outcome {
            Ok(reply) => results(reply, done.count),
            Err(err) => (0..done.count).map(|_| Err(err.clone())).collect(),
        };
        (done.start, results)
    }
}

impl Drop for JobHandle<'_> {
    fn drop(&mut self) {
        self.pool.shared.lock().forget_job(self.id);
        self.pool.shared.wake();
    }
}
