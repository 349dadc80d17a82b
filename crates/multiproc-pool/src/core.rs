//! What process pools and thread pools have in common: everything but their bounds.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use multiproc_image::{after_fork::generation, threads};

use crate::{
    AsyncResult, Imap, PoolError, StillOpen, TaskError,
    callbacks::Callbacks,
    calls::{Calls, Packer, Unpack},
    interrupt::Interrupts,
    job::{Done, Job, Task},
    scheduler::{Phase, Settings},
    shared::{Hub, Shared},
    worker::Workers,
};

/// A pool without its bounds.
pub(crate) struct Core {
    pub(crate) hub: Arc<dyn Hub>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
    pub(crate) callbacks: Arc<Callbacks>,
    maker: u32,
}

impl Core {
    /// Starts workers, and the supervisor.
    pub(crate) fn start<K: Workers>(workers: K, settings: Settings) -> Result<Self, PoolError> {
        let hub: Arc<dyn Hub> = Shared::start(workers, settings)?;
        let supervised = hub.clone();
        let thread = threads::spawn("multiproc-pool", move || supervised.supervise());
        let supervisor = match thread {
            Ok(thread) => Mutex::new(Some(thread)),
            Err(err) => {
                hub.terminate(&TaskError::NotRunning);
                hub.supervise();
                return Err(PoolError::Supervisor(err));
            }
        };
        Ok(Self { hub, supervisor, callbacks: Arc::default(), maker: generation() })
    }

    /// One call, waited for.
    pub(crate) fn apply<A, R>(&self, calls: Calls<A, R>, args: A) -> Result<R, TaskError> {
        let ticket = self.send_one(&calls, args)?;
        ticket.wait_for_one(calls.unpack)
    }

    /// One call.
    pub(crate) fn apply_async<A, R>(
        &self,
        calls: Result<Calls<A, R>, TaskError>,
        args: A,
    ) -> AsyncResult<R>
    where
        R: Send + 'static,
    {
        let sent = calls.and_then(|calls| Ok((self.send_one(&calls, args)?, calls.unpack)));
        match sent {
            Ok((ticket, unpack)) => {
                self.hub.attend();
                let collect = move |done: Vec<Done>| one(done, unpack);
                AsyncResult::new(ticket, self.callbacks.clone(), Box::new(collect))
            }
            Err(err) => AsyncResult::failed(self, err),
        }
    }

    fn send_one<A, R>(&self, calls: &Calls<A, R>, args: A) -> Result<Ticket, TaskError> {
        self.hub.check_open()?;
        let ticket = self.ticket(calls);
        let mut packer = calls.packer(ticket.job.clone(), 1);
        packer.push(args);
        ticket.submit(packer.end())?;
        ticket.job.seal();
        Ok(ticket)
    }

    pub(crate) fn ticket<A, R>(&self, calls: &Calls<A, R>) -> Ticket {
        Ticket { hub: self.hub.clone(), job: Job::new(calls.program.clone()), keeps: false }
    }

    /// A call for each item, waited for.
    pub(crate) fn map<A, R>(
        &self,
        calls: Calls<A, R>,
        items: impl Iterator<Item = A>,
        chunksize: Option<usize>,
    ) -> Result<Vec<R>, TaskError> {
        let ticket = self.ticket(&calls);
        let total = self.send_all(&ticket, &calls, items, chunksize)?;
        let mut gather = Gather::new(total);
        loop {
            // First looked at, then waited for: what is done while the rest is read needs no waiting.
            while let Some(done) = ticket.job.take() {
                gather.add(done, calls.unpack);
            }
            if gather.is_complete() {
                return gather.finish();
            }
            if !ticket.hub.wait_some(&ticket.job, None) {
                return Err(TaskError::NotRunning);
            }
        }
    }

    /// A call for each item.
    pub(crate) fn map_async<A, R>(
        &self,
        calls: Result<Calls<A, R>, TaskError>,
        items: impl Iterator<Item = A>,
        chunksize: Option<usize>,
    ) -> AsyncResult<Vec<R>>
    where
        R: Send + 'static,
    {
        let sent = calls.and_then(|calls| {
            let mut ticket = self.ticket(&calls);
            let total = self.send_all(&ticket, &calls, items, chunksize)?;
            ticket.keeps = true;
            Ok((ticket, total, calls.unpack))
        });
        match sent {
            Ok((ticket, total, unpack)) => {
                self.hub.attend();
                let collect = move |done: Vec<Done>| {
                    let mut gather = Gather::new(total);
                    done.into_iter().for_each(|done| gather.add(done, unpack));
                    gather.finish()
                };
                AsyncResult::new(ticket, self.callbacks.clone(), Box::new(collect))
            }
            Err(err) => AsyncResult::failed(self, err),
        }
    }

    /// Sends the calls off, in chunks of this size or of Python's default; returns how many there were.
    fn send_all<A, R>(
        &self,
        ticket: &Ticket,
        calls: &Calls<A, R>,
        items: impl Iterator<Item = A>,
        chunksize: Option<usize>,
    ) -> Result<usize, TaskError> {
        self.hub.check_open()?;
        let packer = |size| calls.packer(ticket.job.clone(), size);
        let total = match (chunksize, items.size_hint()) {
            (Some(size), _) => send(ticket, packer(size), items),
            (None, (len, Some(most))) if len == most => {
                send(ticket, packer(self.default_chunk(len)), items)
            }
            (None, _) => {
                let items: Vec<A> = items.collect();
                send(ticket, packer(self.default_chunk(items.len())), items.into_iter())
            }
        }?;
        ticket.job.seal();
        Ok(total)
    }

    /// Four chunks a worker, as in Python.
    fn default_chunk(&self, len: usize) -> usize {
        len.div_ceil(4 * self.hub.size().max(1)).max(1)
    }

    pub(crate) fn imap<I: Iterator, R>(
        &self,
        calls: Result<Calls<(I::Item,), R>, TaskError>,
        items: I,
        is_ordered: bool,
    ) -> Imap<'_, I, R> {
        Imap::new(self, calls, items, is_ordered)
    }

    pub(crate) fn resize(&self, size: usize) -> Result<(), PoolError> {
        if size == 0 {
            return Err(PoolError::NoProcesses);
        }
        if self.hub.phase() != Phase::Open {
            return Err(PoolError::NotRunning);
        }
        self.hub.resize(size);
        Ok(())
    }

    pub(crate) fn join(&self) -> Result<(), StillOpen> {
        if self.maker != generation() {
            return Ok(());
        }
        if self.hub.phase() == Phase::Open {
            return Err(StillOpen);
        }
        self.finish();
        Ok(())
    }

    fn finish(&self) {
        self.hub.wait_over();
        let supervisor = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(supervisor) = supervisor {
            // It does not panic but by a fault of ours, which has then been printed.
            let _ = supervisor.join();
        }
        self.callbacks.finish(self.maker);
    }

    /// True on a thread of this pool.
    fn is_inside(&self) -> bool {
        let supervisor = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner);
        let supervisor = supervisor.as_ref().map(|supervisor| supervisor.thread().id());
        supervisor == Some(thread::current().id()) || self.hub.is_inside()
    }

    /// How it is shown.
    pub(crate) fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.hub.phase() {
            Phase::Open => "RUN",
            Phase::Closed => "CLOSE",
            Phase::Terminated => "TERMINATE",
            Phase::Broken(_) => "BROKEN",
        };
        write!(f, "<{name} state={state} pool_size={}>", self.hub.size())
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if self.maker == generation() {
            self.hub.terminate(&TaskError::NotRunning);
            // A task can have the last handle, and what is thrown away, too: the pool's own threads end without being
            // waited for, which would be by themselves.
            if !self.is_inside() {
                self.finish();
            }
            // Which may be ending it, too, and has its descriptors meanwhile.
            Interrupts::forget(&self.hub);
        }
    }
}

fn send<A>(
    ticket: &Ticket,
    mut packer: Packer<A>,
    items: impl Iterator<Item = A>,
) -> Result<usize, TaskError> {
    for args in items {
        if packer.push(args) {
            ticket.submit(packer.take())?;
        }
    }
    ticket.submit(packer.end())?;
    Ok(packer.place)
}

/// A job that somebody waits for; dropped, what is queued of it is not done.
pub(crate) struct Ticket {
    pub(crate) hub: Arc<dyn Hub>,
    pub(crate) job: Arc<Job>,
    /// True if it is done whether somebody waits or not.
    pub(crate) keeps: bool,
}

impl Ticket {
    pub(crate) fn submit(&self, tasks: Vec<Task>) -> Result<(), TaskError> {
        if tasks.is_empty() { Ok(()) } else { self.hub.submit(tasks) }
    }

    fn wait_for_one<R>(&self, unpack: Unpack<R>) -> Result<R, TaskError> {
        if !self.hub.wait_all(&self.job, None) {
            return Err(TaskError::NotRunning);
        }
        one(self.job.take_all().into(), unpack)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.keeps {
            self.hub.withdraw(&self.job);
        }
    }
}

/// The result of the only call.
fn one<R>(done: Vec<Done>, unpack: Unpack<R>) -> Result<R, TaskError> {
    let mut found = None;
    for done in done {
        unpack(done, &mut |_, result| found = Some(result));
    }
    found.unwrap_or_else(|| Err(TaskError::Decode("the worker has answered nothing".into())))
}

/// The results of all calls, as they come.
struct Gather<R> {
    total: usize,
    count: usize,
    runs: Vec<(usize, Vec<R>)>,
    /// The first that failed, by place.
    failed: Option<(usize, TaskError)>,
}

impl<R> Gather<R> {
    fn new(total: usize) -> Self {
        Self { total, count: 0, runs: Vec::new(), failed: None }
    }

    fn add(&mut self, done: Done, unpack: Unpack<R>) {
        let start = done.start;
        let mut values = Vec::with_capacity(done.count);
        self.count += done.count;
        unpack(done, &mut |place, result| match result {
            Ok(value) => values.push(value),
            Err(err) => {
                if self.failed.as_ref().is_none_or(|(first, _)| place < *first) {
                    self.failed = Some((place, err));
                }
            }
        });
        self.runs.push((start, values));
    }

    fn is_complete(&self) -> bool {
        self.count >= self.total
    }

    fn finish(mut self) -> Result<Vec<R>, TaskError> {
        if let Some((_, err)) = self.failed {
            return Err(err);
        }
        self.runs.sort_unstable_by_key(|(start, _)| *start);
        let mut all = Vec::with_capacity(self.total);
        self.runs.into_iter().for_each(|(_, values)| all.extend(values));
        Ok(all)
    }
}

/// A moment so far from now; none if that is beyond what the clock can tell.
pub(crate) fn deadline(timeout: Duration) -> Option<std::time::Instant> {
    crate::reactor::after(timeout)
}
