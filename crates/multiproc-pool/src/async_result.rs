//! A result that is waited for when it is wanted.

use std::{
    fmt, mem,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    GetTimeoutError, TaskError, TimeoutError,
    callbacks::Callbacks,
    core::{Core, Ticket, deadline},
    job::{Done, Job},
    program::Program,
    shared::Hub,
};

type Collect<T> = Box<dyn FnOnce(Vec<Done>) -> Result<T, TaskError> + Send>;

/// What will come of a task; returned by [`Pool::apply_async`](crate::Pool::apply_async) and its kin.
///
/// It is a [`Future`], for those who would rather await it. Dropped, it leaves the task alone: it is done, and its
/// callbacks are called.
///
/// # If a process dies
///
/// As for [`Pool`](crate::Pool): the result is then [`TaskError::WorkerLost`].
///
/// # Python
///
/// `multiprocessing.pool.AsyncResult`. What `get` returns can be had again and again as long as it can be cloned;
/// [`into_result`](Self::into_result) moves it out.
///
/// # Examples
///
/// ```
/// multiproc_image::entry::init();
///
/// let pool = multiproc_pool::Pool::new(2)?;
/// let power = pool.apply_async(u64::pow, (2, 10));
/// let lengths = pool.map_async(|word: String| word.len(), ["one".into(), "three".into()]);
/// assert_eq!(power.get()?, 1024);
/// assert_eq!(lengths.get()?, [3, 5]);
/// assert!(power.ready() && power.successful());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "what comes of the task is told by nothing else"]
pub struct AsyncResult<T> {
    ticket: Ticket,
    callbacks: Arc<Callbacks>,
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    value: Mutex<Value<T>>,
    /// Told when no callback is left.
    called: Condvar,
}

struct Value<T> {
    stage: Stage<T>,
    /// How many callbacks have not been called yet.
    callbacks: usize,
    waker: Option<Waker>,
}

enum Stage<T> {
    Waiting(Collect<T>),
    Ready(Result<T, TaskError>),
    /// The future has handed it out.
    Gone,
}

impl<T> AsyncResult<T> {
    pub(crate) fn new(mut ticket: Ticket, callbacks: Arc<Callbacks>, collect: Collect<T>) -> Self {
        ticket.keeps = true;
        let stage = Stage::Waiting(collect);
        let value = Mutex::new(Value { stage, callbacks: 0, waker: None });
        Self { ticket, callbacks, shared: Arc::new(Shared { value, called: Condvar::new() }) }
    }

    /// What could not even be begun.
    pub(crate) fn failed(core: &Core, err: TaskError) -> Self {
        let job = Job::new(Program::Local(Arc::new(|calls, _| (0, calls))));
        job.seal();
        let ticket = Ticket { hub: core.hub.clone(), job, keeps: true };
        Self::new(ticket, core.callbacks.clone(), Box::new(|_| Err(err)))
    }

    fn hub(&self) -> &dyn Hub {
        &*self.ticket.hub
    }

    /// Waits until the task is done, well or not.
    ///
    /// # Examples
    ///
    /// ```
    /// multiproc_image::entry::init();
    ///
    /// let pool = multiproc_pool::Pool::new(1)?;
    /// let result = pool.apply_async(|| 7, ());
    /// result.wait();
    /// assert!(result.ready());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(&self) {
        self.hub().wait_all(&self.ticket.job, None);
    }

    /// Waits until the task is done or `timeout` has passed; returns true if it is done.
    ///
    /// # Python
    ///
    /// `wait(timeout)`, which returns nothing.
    #[expect(clippy::must_use_candidate, reason = "to have waited may be all that is wanted")]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.hub().wait_all(&self.ticket.job, deadline(timeout))
    }

    /// True once the task is done, well or not.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.ticket.job.is_complete()
    }

    /// True if the task is done and has succeeded.
    ///
    /// # Python
    ///
    /// `successful`, which raises `ValueError` while the task is not done; here it is then false.
    #[must_use]
    pub fn successful(&self) -> bool {
        self.ready() && matches!(self.shared.settle(&self.ticket.job).stage, Stage::Ready(Ok(_)))
    }

    /// Ends the task; its result is [`TaskError::Cancelled`] unless it is done.
    ///
    /// What is queued is not begun. A process that is at it is killed and replaced; a thread cannot be, but the task can
    /// see it, by [`CurrentTask::is_cancelled`](crate::CurrentTask::is_cancelled), and nobody waits for it any more.
    ///
    /// # Python
    ///
    /// Has no such thing; `concurrent.futures` has it for what is queued.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_pool::{Pool, TaskError};
    ///
    /// multiproc_image::entry::init();
    ///
    /// let pool = Pool::new(1)?;
    /// let endless = pool.apply_async(|| loop { std::hint::spin_loop() }, ());
    /// let other = pool.apply_async(|| 7, ());
    /// endless.cancel();
    /// assert_eq!(endless.into_result(), Err::<(), _>(TaskError::Cancelled));
    /// assert_eq!(other.get()?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel(&self) {
        self.hub().cancel(&self.ticket.job);
        self.hub().attend();
    }

    /// Waits for the result and moves it out. Callbacks are called before that.
    ///
    /// # Errors
    ///
    /// The [`TaskError`] of the task; of several, that of the first by place.
    pub fn into_result(self) -> Result<T, TaskError> {
        self.wait();
        if !self.ready() {
            return Err(TaskError::NotRunning);
        }
        let mut value = self.shared.settle(&self.ticket.job);
        while value.callbacks > 0 {
            value = self.shared.called.wait(value).unwrap_or_else(PoisonError::into_inner);
        }
        value.take()
    }
}

impl<T: Clone> AsyncResult<T> {
    /// Waits for the result.
    ///
    /// # Errors
    ///
    /// The [`TaskError`] of the task; of several, that of the first by place.
    pub fn get(&self) -> Result<T, TaskError> {
        self.wait();
        self.look()
    }

    /// Waits for the result for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`GetTimeoutError::Timeout`] if it has not come by then; it may be asked for again.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{thread, time::Duration};
    /// use multiproc_pool::{GetTimeoutError, Pool};
    ///
    /// multiproc_image::entry::init();
    ///
    /// let pool = Pool::new(1)?;
    /// let result = pool.apply_async(|| thread::sleep(Duration::from_millis(200)), ());
    /// let early = result.get_timeout(Duration::from_millis(1));
    /// assert!(matches!(early, Err(GetTimeoutError::Timeout(_))));
    /// result.get()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, GetTimeoutError> {
        if !self.wait_timeout(timeout) {
            return Err(TimeoutError(timeout).into());
        }
        Ok(self.look()?)
    }

    /// The result if it is there.
    ///
    /// # Errors
    ///
    /// [`GetTimeoutError::Timeout`] if it is not.
    pub fn try_get(&self) -> Result<T, GetTimeoutError> {
        if self.ready() { Ok(self.look()?) } else { Err(TimeoutError(Duration::ZERO).into()) }
    }

    fn look(&self) -> Result<T, TaskError> {
        if !self.ready() {
            return Err(TaskError::NotRunning);
        }
        match &self.shared.settle(&self.ticket.job).stage {
            Stage::Ready(result) => result.clone(),
            _ => Err(TaskError::NotRunning),
        }
    }
}

impl<T: Send + 'static> AsyncResult<T> {
    /// Has `callback` called with the value when the task has succeeded.
    ///
    /// The callbacks of a pool run on a thread of their own, one after the other: a slow one delays other callbacks, but
    /// no result. One that panics costs none of the others.
    ///
    /// # Python
    ///
    /// `callback=` of `apply_async` and `map_async`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    ///
    /// multiproc_image::entry::init();
    ///
    /// let pool = multiproc_pool::Pool::new(1)?;
    /// let (tell, told) = channel();
    /// let result = pool.apply_async(|| 7, ()).callback(move |seven| tell.send(*seven).unwrap());
    /// assert_eq!(told.recv()?, 7);
    /// assert_eq!(result.get()?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn callback(self, callback: impl FnOnce(&T) + Send + 'static) -> Self {
        self.then(|result| {
            if let Ok(value) = result {
                callback(value);
            }
        })
    }

    /// Has `callback` called with the error when the task has failed; else as [`callback`](Self::callback).
    ///
    /// # Python
    ///
    /// `error_callback=`.
    pub fn error_callback(self, callback: impl FnOnce(&TaskError) + Send + 'static) -> Self {
        self.then(|result| {
            if let Err(err) = result {
                callback(err);
            }
        })
    }

    fn then(self, action: impl FnOnce(&Result<T, TaskError>) + Send + 'static) -> Self {
        self.shared.lock().callbacks += 1;
        let (shared, queue) = (self.shared.clone(), self.callbacks.queue());
        let call = move |job: Arc<Job>| {
            let _end = CallbackEnd(&shared);
            if let Stage::Ready(result) = &shared.settle(&job).stage {
                action(result);
            }
        };
        match queue {
            Some(queue) => self.ticket.job.then(Box::new(move |job| {
                // The thread is there as long as the pool.
                let _ = queue.send(Box::new(move || call(job)));
            })),
            // No thread can be had: then it is done here and now.
            None => {
                self.wait();
                call(self.ticket.job.clone());
            }
        }
        self
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Value<T>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the value of what is done, once.
    fn settle(&self, job: &Job) -> MutexGuard<'_, Value<T>> {
        let mut value = self.lock();
        if let Stage::Waiting(_) = value.stage
            && let Stage::Waiting(collect) = mem::replace(&mut value.stage, Stage::Gone)
        {
            value.stage = Stage::Ready(collect(job.take_all().into()));
        }
        value
    }
}

impl<T> Value<T> {
    fn take(&mut self) -> Result<T, TaskError> {
        match mem::replace(&mut self.stage, Stage::Gone) {
            Stage::Ready(result) => result,
            _ => Err(TaskError::NotRunning),
        }
    }
}

/// Counts a callback as called, however it ended.
struct CallbackEnd<'a, T>(&'a Shared<T>);

impl<T> Drop for CallbackEnd<'_, T> {
    fn drop(&mut self) {
        let mut value = self.0.lock();
        value.callbacks -= 1;
        let is_last = value.callbacks == 0;
        let waker = value.waker.take_if(|_| is_last);
        drop(value);
        if is_last {
            self.0.called.notify_all();
            // It may poll at once, and finds nothing locked.
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl<T> Future for AsyncResult<T> {
    type Output = Result<T, TaskError>;

    /// Polled again after it has given the result, it gives [`TaskError::NotRunning`].
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let job = &self.ticket.job;
        job.wake(context.waker(), false);
        if !job.is_complete() {
            // With fork, to replace a worker is up to a thread of the user's, such as this one.
            return if self.hub().help() {
                Poll::Pending
            } else {
                Poll::Ready(Err(TaskError::NotRunning))
            };
        }
        let mut value = self.shared.settle(job);
        if value.callbacks > 0 {
            let before = value.waker.replace(context.waker().clone());
            drop(value);
            drop(before);
            return Poll::Pending;
        }
        Poll::Ready(value.take())
    }
}

impl<T> fmt::Debug for AsyncResult<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncResult").field("ready", &self.ready()).finish_non_exhaustive()
    }
}
