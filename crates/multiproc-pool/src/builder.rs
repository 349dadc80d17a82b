//! What a pool is to be like, before it is made.

use std::{num::NonZero, time::Duration};

use multiproc_image::Function;
use multiproc_process::{Context, process_cpu_count};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Pool, PoolError, TaskError, interrupt::Interrupts, program::Errand, scheduler::Settings,
    worker::Outfit,
};

/// Describes a pool; begun by [`Pool::builder`].
///
/// # Python
///
/// The keyword arguments of `multiprocessing.Pool`, and what it lacks.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use multiproc_pool::Pool;
/// use multiproc_process::Context;
///
/// multiproc_image::entry::init();
///
/// let pool = Pool::builder()
///     .processes(2)
///     .context(Context::spawn())
///     .retries(3)
///     .task_timeout(Duration::from_secs(60))
///     .memory_limit(1 << 30)
///     .build()?;
/// assert_eq!(pool.apply(|a: i32, b: i32| a + b, (4, 3))?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    processes: Option<usize>,
    context: Context,
    retries: u32,
    task_timeout: Option<Duration>,
    max_tasks: Option<u32>,
    idle_timeout: Option<Duration>,
    restarts: Option<(u32, Duration)>,
    outfit: Outfit,
    cancel_on_interrupt: bool,
    /// What of the outfit cannot be sent.
    failed: Option<TaskError>,
}

impl Builder {
    /// Sets the number of workers; by default as many as this process may use processors.
    pub fn processes(mut self, processes: usize) -> Self {
        self.processes = Some(processes);
        self
    }

    /// Sets the context, and with it the start method of the workers; by default the default context.
    ///
    /// With fork, a worker that has to be replaced is forked by whichever thread of yours waits for the pool at that
    /// moment, or gives it the next task, never behind your back. It may happen while a callback runs on the pool's own
    /// thread, so with fork a callback should hold no lock that tasks need.
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// Has `function` called with `args` once in each worker, before its first task.
    ///
    /// If it panics or returns an `Err`, or the worker dies of it again and again, the pool is
    /// [broken](TaskError::PoolBroken), with the cause, instead of starting workers for ever.
    ///
    /// # Python
    ///
    /// `initializer` and `initargs`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{env, path::PathBuf};
    ///
    /// multiproc_image::entry::init();
    ///
    /// let change = |to: PathBuf| env::set_current_dir(to).map_err(|err| err.to_string());
    /// let pool = multiproc_pool::Pool::builder().initializer(change, ("/".into(),)).build()?;
    /// assert_eq!(pool.apply(|| env::current_dir().ok(), ())?, Some("/".into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "initargs")]
    pub fn initializer<F, Args>(mut self, function: F, args: Args) -> Self
    where
        F: Function<Args>,
        F::Output: Serialize,
        Args: Serialize + DeserializeOwned + 'static,
    {
        self.outfit.initializer = self.errand(Errand::new(function, args));
        self
    }

    /// Has each worker make a value of its own, by `function` of `args`, before its first task and after the
    /// initializer; see [`WorkerState`](crate::WorkerState). It need not be sendable.
    pub fn worker_state<F, Args>(mut self, function: F, args: Args) -> Self
    where
        F: Function<Args, Output: 'static>,
        Args: Serialize + DeserializeOwned + 'static,
    {
        self.outfit.state = self.errand(Errand::state(function, args));
        self
    }

    /// Has `function` called with `args` in each worker that ends in good order: because the pool is closed, has become
    /// smaller, or has had enough of that worker. One that is terminated, killed or crashes has no time for it.
    pub fn finalizer<F, Args>(mut self, function: F, args: Args) -> Self
    where
        F: Function<Args>,
        F::Output: Serialize,
        Args: Serialize + DeserializeOwned + 'static,
    {
        self.outfit.finalizer = self.errand(Errand::new(function, args));
        self
    }

    fn errand(&mut self, errand: Result<Errand, TaskError>) -> Option<Errand> {
        errand.map_err(|err| self.failed = Some(err)).ok()
    }

    /// Sets how many tasks a worker does before it is replaced; by default as many as there are.
    ///
    /// A task is what is sent to a worker at a time: a call, or a chunk of them.
    ///
    /// # Python
    ///
    /// `maxtasksperchild`.
    #[doc(alias = "maxtasksperchild")]
    pub fn max_tasks_per_child(mut self, tasks: u32) -> Self {
        self.max_tasks = Some(tasks);
        self
    }

    /// Sets how often a task whose worker died is given to another one; by default never.
    ///
    /// A retried task may have done part of its work before, so this is for tasks that may be done twice. Of a chunk,
    /// the calls that were not begun go to another worker in any case. Those that were done, but whose results had not
    /// been sent when the worker died, count as lost with it.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Sets how long a call may take; by default as long as it likes. One that takes longer fails with
    /// [`TaskError::TimedOut`], and its worker is killed and replaced.
    pub fn task_timeout(mut self, timeout: Duration) -> Self {
        self.task_timeout = Some(timeout);
        // So that no result of another call goes down with the worker.
        self.outfit.is_hasty = true;
        self.outfit.how.is_timed = true;
        self
    }

    /// Sets how long a call should take: after that [`CurrentTask::is_overdue`](crate::CurrentTask::is_overdue) tells it
    /// to come to an end. Nothing else happens.
    pub fn soft_task_timeout(mut self, timeout: Duration) -> Self {
        self.outfit.soft_timeout = Some(timeout);
        self.outfit.how.is_timed = true;
        self
    }

    /// Sets how much memory a worker may have, in bytes: all that can be written and is backed by no file
    /// (`RLIMIT_DATA`).
    ///
    /// An allocation beyond it fails, which ends a Rust program: the task fails with [`TaskError::WorkerLost`], where
    /// `oom` is true, and the worker is replaced.
    ///
    /// Where control groups can be made (version 2; the group above that of this process was handed to its user and
    /// bounds memory, as with systemd's `Delegate=yes` and `DelegateSubgroup=`), each worker also has one of its own with
    /// as much. It counts what the worker touches, shared memory and the processes that it starts included, and when that
    /// becomes too much, the kernel ends all of them: with `oom` true, too.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.outfit.memory_limit = Some(bytes);
        self
    }

    /// Sets above how much resident memory, in bytes, a worker is replaced after a task. No task fails of it.
    pub fn replace_above(mut self, bytes: u64) -> Self {
        self.outfit.replace_above = Some(bytes);
        self
    }

    /// Sets how long a worker may have nothing to do before it is ended; by default for ever. It is started again when
    /// there is something to do.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Sets how many workers may die unasked within `within`; with one more the pool is
    /// [broken](TaskError::PoolBroken). By default only workers that die before their first task are counted, ten in a
    /// row for each that there should be.
    pub fn max_restarts(mut self, deaths: u32, within: Duration) -> Self {
        self.restarts = Some((deaths, within));
        self
    }

    /// Has Ctrl-C end the pool and not the program: what waits for it, or uses it later, fails with
    /// [`TaskError::Interrupted`], and its workers are ended. A second Ctrl-C does what it does without: by default it ends the program. So
    /// does one after the pool has been dropped.
    ///
    /// Workers ignore Ctrl-C in any case, and die with the program in any case.
    ///
    /// # Python
    ///
    /// `KeyboardInterrupt` in whoever waits for the pool.
    pub fn cancel_on_interrupt(mut self) -> Self {
        self.cancel_on_interrupt = true;
        self
    }

    /// Makes the pool and starts its workers.
    ///
    /// # Errors
    ///
    /// [`PoolError`]; there is then no worker left.
    pub fn build(self) -> Result<Pool, PoolError> {
        let size = self.processes.unwrap_or_else(process_cpu_count);
        let size = NonZero::new(size).ok_or(PoolError::NoProcesses)?.get();
        if self.max_tasks == Some(0) {
            return Err(PoolError::NoTasksPerChild);
        }
        if let Some(err) = self.failed {
            return Err(PoolError::Encode(err.to_string()));
        }
        let settings = Settings {
            size,
            retries: self.retries,
            task_timeout: self.task_timeout,
            max_tasks: self.max_tasks.map(|most| most as usize),
            idle_timeout: self.idle_timeout,
            restarts: self.restarts,
        };
        let pool = Pool::make(self.context, self.outfit, settings)?;
        if self.cancel_on_interrupt {
            Interrupts::watch(&pool.core)?;
        }
        Ok(pool)
    }
}
