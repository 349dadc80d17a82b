//! What process pools and thread pools have in common: everything but their bounds.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use multiproc_image::{after_fork::generation, threads};

use crate::{
    AsyncResult, Imap, PoolError, StillOpen, TaskError,
    callbacks::Callbacks,
    calls::{Calls, Coder, Packer},
    interrupt::Interrupts,
    job::{Done, Job, Task},
    scheduler::{Phase, Settings},
    shared::{Hub, Shared},
    unpack::{Append, Unpack},
    worker::Workers,
};

/// How many tasks for each worker wait before more of an input is read.
const AHEAD: usize = 4;
/// For how many bytes of results there is room at once.
const ROOM: usize = 64 << 20;

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
    pub(crate) fn apply<A, R, C: Coder<A>>(
        &self,
        calls: Calls<A, R, C>,
        args: A,
    ) -> Result<R, TaskError> {
        let ticket = self.send_one(&calls, args)?;
        ticket.wait_for_one(calls.unpack)
    }

    /// One call.
    pub(crate) fn apply_async<A, R, C: Coder<A>>(
        &self,
        calls: Result<Calls<A, R, C>, TaskError>,
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

    fn send_one<A, R, C: Coder<A>>(
        &self,
        calls: &Calls<A, R, C>,
        args: A,
    ) -> Result<Ticket, TaskError> {
        self.hub.check_open()?;
        let ticket = self.ticket(calls);
        let mut packer = calls.packer(ticket.job.clone(), 1);
        packer.push(args);
        ticket.submit(packer.end())?;
        ticket.job.seal();
        Ok(ticket)
    }

    pub(crate) fn ticket<A, R, C>(&self, calls: &Calls<A, R, C>) -> Ticket {
        Ticket { hub: self.hub.clone(), job: Job::new(calls.program.clone()), keeps: false }
    }

    /// A call for each item, waited for.
    pub(crate) fn map<A, R, C: Coder<A>>(
        &self,
        calls: Calls<A, R, C>,
        items: impl Iterator<Item = A>,
        chunksize: Option<usize>,
    ) -> Result<Vec<R>, TaskError> {
        let ticket = self.ticket(&calls);
        let mut gather = Gather::new(items.size_hint().0);
        let total = self.send_all(&ticket, &calls, items, chunksize, |mut queued| {
            // While the rest is read, what is done is taken: neither has to lie about. What others have queued is
            // not waited for.
            while queued > self.hub.size() * AHEAD && ticket.job.is_away() {
                gather.take(&ticket, calls.append);
                if !ticket.hub.wait_some(&ticket.job, None) {
                    return Err(TaskError::NotRunning);
                }
                queued = ticket.hub.queued();
            }
            Ok(())
        })?;
        loop {
            gather.take(&ticket, calls.append);
            if gather.count >= total {
                return gather.finish();
            }
            if !ticket.hub.wait_some(&ticket.job, None) {
                return Err(TaskError::NotRunning);
            }
        }
    }

    /// A call for each item.
    pub(crate) fn map_async<A, R, C: Coder<A>>(
        &self,
        calls: Result<Calls<A, R, C>, TaskError>,
        items: impl Iterator<Item = A>,
        chunksize: Option<usize>,
    ) -> AsyncResult<Vec<R>>
    where
        R: Send + 'static,
    {
        let sent = calls.and_then(|calls| {
            let mut ticket = self.ticket(&calls);
            let total = self.send_all(&ticket, &calls, items, chunksize, |_| Ok(()))?;
            ticket.keeps = true;
            Ok((ticket, total, calls.append))
        });
        match sent {
            Ok((ticket, total, append)) => {
                self.hub.attend();
                let collect = move |done: Vec<Done>| {
                    let mut gather = Gather::new(total);
                    done.into_iter().for_each(|done| gather.add(done, append));
                    gather.finish()
                };
                AsyncResult::new(ticket, self.callbacks.clone(), Box::new(collect))
            }
            Err(err) => AsyncResult::failed(self, err),
        }
    }

    /// Sends the calls off, in chunks of this size or of Python's default; returns how many there were. `pause` is called
    /// with how many tasks are queued whenever some were sent.
    fn send_all<A, R, C: Coder<A>>(
        &self,
        ticket: &Ticket,
        calls: &Calls<A, R, C>,
        items: impl Iterator<Item = A>,
        chunksize: Option<usize>,
        pause: impl FnMut(usize) -> Result<(), TaskError>,
    ) -> Result<usize, TaskError> {
        self.hub.check_open()?;
        let packer = |size| calls.packer(ticket.job.clone(), size);
        let total = match (chunksize, items.size_hint()) {
            (Some(size), _) => send(ticket, packer(size), items, pause),
            (None, (len, Some(most))) if len == most => {
                send(ticket, packer(self.default_chunk(len)), items, pause)
            }
            (None, _) => {
                let items: Vec<A> = items.collect();
                let packer = packer(self.default_chunk(items.len()));
                send(ticket, packer, items.into_iter(), pause)
            }
        }?;
        ticket.job.seal();
        Ok(total)
    }

    /// Four chunks a worker, as in Python.
    fn default_chunk(&self, len: usize) -> usize {
        len.div_ceil(4 * self.hub.size().max(1)).max(1)
    }

    pub(crate) fn imap<I: Iterator, R, C: Coder<(I::Item,)>>(
        &self,
        calls: Result<Calls<(I::Item,), R, C>, TaskError>,
        items: I,
        is_ordered: bool,
    ) -> Imap<'_, I, R> {
        Imap::new(self, calls.map(Calls::any), items, is_ordered)
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

fn send<A, C: Coder<A>>(
    ticket: &Ticket,
    mut packer: Packer<A, C>,
    mut items: impl Iterator<Item = A>,
    mut pause: impl FnMut(usize) -> Result<(), TaskError>,
) -> Result<usize, TaskError> {
    while packer.fill(&mut items) {
        pause(ticket.submit(packer.take())?)?;
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
    /// Hands tasks over; returns how many are queued.
    pub(crate) fn submit(&self, tasks: Vec<Task>) -> Result<usize, TaskError> {
        if tasks.is_empty() { Ok(0) } else { self.hub.submit(tasks) }
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
    /// How many calls are done.
    count: usize,
    /// The results up to the first that is not there.
    all: Vec<R>,
    /// How many calls those are of, and what is done behind them. It is read only when its turn comes, straight to its
    /// place.
    reached: usize,
    ahead: BTreeMap<usize, Done>,
    /// The first that failed.
    failed: Option<TaskError>,
}

impl<R> Gather<R> {
    fn new(room: usize) -> Self {
        // An iterator may promise more than there is memory for, and not keep it.
        let all = Vec::with_capacity(room.min(ROOM / size_of::<R>().max(1)));
        Self { count: 0, all, reached: 0, ahead: BTreeMap::new(), failed: None }
    }

    /// Takes all that is done of a job.
    fn take(&mut self, ticket: &Ticket, append: Append<R>) {
        while let Some(done) = ticket.job.take() {
            self.add(done, append);
        }
    }

    fn add(&mut self, done: Done, append: Append<R>) {
        self.count += done.count;
        let mut next = if done.start == self.reached {
            Some(done)
        } else {
            self.ahead.insert(done.start, done);
            None
        };
        while let Some(done) = next {
            self.reached += done.count;
            // Behind a failure nothing is of interest.
            if self.failed.is_none() {
                self.failed = append(done, &mut self.all).err();
            }
            next = self.ahead.remove(&self.reached);
        }
    }

    fn finish(self) -> Result<Vec<R>, TaskError> {
        self.failed.map_or(Ok(self.all), Err)
    }
}

/// A moment so far from now; none if that is beyond what the clock can tell.
pub(crate) fn deadline(timeout: Duration) -> Option<std::time::Instant> {
    crate::reactor::after(timeout)
}
