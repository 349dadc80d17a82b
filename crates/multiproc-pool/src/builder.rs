//! What a pool is to be like, before it is made.

use std::num::NonZero;

use multiproc_process::{Context, process_cpu_count};

use crate::{Pool, PoolError};

/// Describes a pool; begun by [`Pool::builder`].
///
/// # Python
///
/// The keyword arguments of `multiprocessing.Pool`.
///
/// # Examples
///
/// ```
/// use multiproc_pool::Pool;
/// use multiproc_process::Context;
///
/// multiproc_image::entry::init();
///
/// let pool = Pool::builder().processes(2).context(Context::spawn()).retries(3).build()?;
/// assert_eq!(pool.apply(|a: i32, b: i32| a + b, (4, 3))?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    processes: Option<usize>,
    pub(crate) context: Context,
    pub(crate) retries: u32,
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
    /// moment, never behind your back.
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// Sets how often a task whose worker died is given to another one; by default never.
    ///
    /// A retried task may have done part of its work before, so this is for tasks that may be done twice. Of a chunk of
    /// several calls, each is retried by itself, so that the one that kills its workers does not take the others along.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Makes the pool and starts its workers.
    ///
    /// # Errors
    ///
    /// [`PoolError`]; there is then no worker left.
    pub fn build(self) -> Result<Pool, PoolError> {
        let processes = self.processes.unwrap_or_else(process_cpu_count);
        Pool::make(NonZero::new(processes).ok_or(PoolError::NoProcesses)?, self)
    }
}
