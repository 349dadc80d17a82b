//! What a user waits for: the calls of one `apply`, `map` or `imap`, and what came of them so far.

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::Waker,
};

use crate::{
    TaskError,
    later::Later,
    program::Program,
    sequence::{Block, Body, INLINE, Run, extent, split, within},
};

/// Something that any worker of a kind can take or give: threads hand values over as they are.
pub(crate) type Local = Box<dyn Any + Send>;

/// The arguments of a task.
#[derive(Clone)]
pub(crate) enum Input {
    Wire { block: Arc<Block>, run: Run },
    Local(Arc<Mutex<Option<Local>>>),
}

/// Some calls of a job on their way, one after the other in one worker.
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) job: Arc<Job>,
    /// The place of its first call in the job.
    pub(crate) start: usize,
    /// How many calls it holds.
    pub(crate) count: usize,
    pub(crate) input: Input,
    /// How many workers have died with it.
    pub(crate) deaths: u32,
    /// How many workers have died that had it as the first thing to begin: to take it up may be what ends them.
    pub(crate) scares: u32,
    pub(crate) chunks: Chunks,
}

/// How the calls of a task are what its user calls tasks: calls, or chunks of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunks {
    /// How many calls each has.
    pub(crate) size: usize,
    /// How many calls of the first one were in tasks before this one.
    pub(crate) phase: usize,
    /// True if the last one ends with the last call, however many it has.
    pub(crate) ends: bool,
}

impl Chunks {
    /// How many end within the first `calls` calls; `is_all` if those are all.
    fn within(self, calls: usize, is_all: bool) -> usize {
        let end = self.phase + calls;
        end / self.size + usize::from(is_all && self.ends && !end.is_multiple_of(self.size))
    }

    /// How many calls there are up to the end of chunk number `chunks`, counted from 1.
    fn reach(self, chunks: usize) -> usize {
        chunks.saturating_mul(self.size) - self.phase
    }
}

impl Task {
    /// Cuts it in two, the first with `count` calls. Threads have taken the calls of one that was begun, so the second
    /// part of such a task is good for failing only.
    pub(crate) fn split(self, count: usize) -> (Option<Self>, Option<Self>) {
        if count == 0 {
            return (None, Some(self));
        }
        if count >= self.count {
            return (Some(self), None);
        }
        let (head, tail) = match &self.input {
            Input::Wire { block, run } => {
                let (head, tail) = split(block, run, count);
                let cut = |run| Input::Wire { block: block.clone(), run };
                (cut(head), cut(tail))
            }
            begun @ Input::Local(_) => (begun.clone(), Input::Local(Arc::default())),
        };
        let Chunks { size, phase, .. } = self.chunks;
        let (first, second) = (
            Chunks { ends: false, ..self.chunks },
            Chunks { phase: (phase + count) % size, ..self.chunks },
        );
        let head = Self { count, input: head, chunks: first, ..self.clone() };
        let (start, rest) = (self.start + count, self.count - count);
        (Some(head), Some(Self { start, count: rest, input: tail, chunks: second, ..self }))
    }

    /// Cuts off what ends at most so many chunks and takes at most about so many bytes, but at least one call.
    pub(crate) fn portion(self, chunks: usize, weight: usize) -> (Self, Option<Self>) {
        let mut calls = self.chunks.reach(chunks).clamp(1, self.count);
        if let Input::Wire { block, run } = &self.input
            && let Body::Memory(bytes) = &block.body
            && run.len() > weight
            && calls > 1
        {
            calls = within(&bytes[run.clone()], weight).clamp(1, calls);
        }
        match self.split(calls) {
            (Some(head), tail) => (head, tail),
            // It has at least one call.
            (None, _) => unreachable!("a task without calls"),
        }
    }

    /// How many chunks end in it.
    pub(crate) fn chunk_ends(&self) -> usize {
        self.chunks.within(self.count, true)
    }

    /// How many of what its user calls tasks it counts for; parts count.
    pub(crate) fn load(&self) -> usize {
        self.chunk_ends().max(1)
    }

    /// How many bytes of an order it counts for.
    pub(crate) fn weight(&self) -> usize {
        match &self.input {
            Input::Wire { block, run } => match block.body {
                Body::Memory(_) => run.len(),
                Body::File(..) => INLINE / 8,
            },
            Input::Local(_) => 0,
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, count, deaths, .. } = self;
        write!(f, "Task({start}+{count}, {deaths} deaths)")
    }
}

/// What came of some calls of a job.
pub(crate) struct Done {
    /// The place of the first.
    pub(crate) start: usize,
    pub(crate) count: usize,
    pub(crate) outcome: Outcome,
}

/// What came of calls: their results, or one error for all.
pub(crate) enum Outcome {
    /// Bytes of a sequence; or a file with one value, or one error.
    Wire {
        body: Body,
        is_error: bool,
        fds: Vec<OwnedFd>,
    },
    Local(Local),
    Failed(TaskError),
}

impl Outcome {
    /// Splits the results of the first `count` of `all` calls off; none if they cannot be told apart.
    pub(crate) fn split(self, count: usize, all: usize) -> Option<(Self, Self)> {
        if count == all {
            // Nothing is left to be delivered.
            return Some((self, Self::Failed(TaskError::Cancelled)));
        }
        match self {
            Self::Failed(err) => Some((Self::Failed(err.clone()), Self::Failed(err))),
            Self::Wire { body: Body::Memory(mut bytes), fds, is_error } if fds.is_empty() => {
                let tail = bytes.split_off(extent(&bytes, count));
                let wire = |bytes| Self::Wire { body: Body::Memory(bytes), is_error, fds: vec![] };
                Some((wire(bytes), wire(tail)))
            }
            _ => None,
        }
    }
}

/// A job.
pub(crate) struct Job {
    pub(crate) program: Program,
    inbox: Mutex<Inbox>,
    me: Weak<Job>,
}

#[derive(Default)]
struct Inbox {
    done: VecDeque<Done>,
    /// How many calls the pool has.
    away: usize,
    /// True once no more calls will be added.
    is_sealed: bool,
    /// True if nobody wants its results any more.
    is_forgotten: bool,
    /// Who is woken, and whether by all that is done or by the last only.
    waker: Option<(Waker, bool)>,
    /// What is done once all is.
    then: Vec<Then>,
}

/// What is done with a job once all of it is done.
type Then = Box<dyn FnOnce(Arc<Job>) + Send>;

impl Job {
    pub(crate) fn new(program: Program) -> Arc<Self> {
        Arc::new_cyclic(|me| Self { program, inbox: Mutex::default(), me: me.clone() })
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts calls that the pool has from now on.
    pub(crate) fn send_off(&self, calls: usize) {
        self.inbox().away += calls;
    }

    /// Says that there will be no more.
    pub(crate) fn seal(&self) {
        let mut later = Later::default();
        let mut inbox = self.inbox();
        inbox.is_sealed = true;
        inbox.settle(&self.me, &mut later);
        drop(inbox);
        later.run();
    }

    /// Takes down what came of some calls.
    pub(crate) fn deliver(&self, done: Done, later: &mut Later) {
        let mut inbox = self.inbox();
        inbox.away = inbox.away.saturating_sub(done.count);
        if inbox.is_forgotten {
            later.drop(done);
        } else {
            inbox.done.push_back(done);
        }
        inbox.settle(&self.me, later);
    }

    /// The next of what is done.
    pub(crate) fn take(&self) -> Option<Done> {
        self.inbox().done.pop_front()
    }

    /// All that is done.
    pub(crate) fn take_all(&self) -> VecDeque<Done> {
        std::mem::take(&mut self.inbox().done)
    }

    /// True if there is something to take, or nothing to wait for.
    pub(crate) fn has_some(&self) -> bool {
        let inbox = self.inbox();
        !inbox.done.is_empty() || inbox.away == 0
    }

    /// True if the pool has calls of it.
    pub(crate) fn is_away(&self) -> bool {
        self.inbox().away > 0
    }

    /// True if all calls are done.
    pub(crate) fn is_complete(&self) -> bool {
        let inbox = self.inbox();
        inbox.is_sealed && inbox.away == 0
    }

    /// Has `waker` woken by what is done next, or when all is.
    pub(crate) fn wake(&self, waker: &Waker, by_each: bool) {
        let waker = Some((waker.clone(), by_each));
        let before = std::mem::replace(&mut self.inbox().waker, waker);
        drop(before);
    }

    /// Has something done when all is done; at once if it is.
    pub(crate) fn then(&self, action: Then) {
        let mut later = Later::default();
        let mut inbox = self.inbox();
        inbox.then.push(action);
        inbox.settle(&self.me, &mut later);
        drop(inbox);
        later.run();
    }

    /// Throws away what comes from now on.
    pub(crate) fn forget(&self) {
        let mut inbox = self.inbox();
        inbox.is_forgotten = true;
        let done = std::mem::take(&mut inbox.done);
        drop(inbox);
        drop(done);
    }

    /// Wakes who polls it: there may be something for it to do.
    pub(crate) fn nudge(&self, later: &mut Later) {
        if let Some((waker, _)) = self.inbox().waker.take() {
            later.add(|| waker.wake());
        }
    }
}

impl Inbox {
    fn settle(&mut self, job: &Weak<Job>, later: &mut Later) {
        let is_complete = self.is_sealed && self.away == 0;
        if let Some((waker, _)) = self.waker.take_if(|(_, by_each)| *by_each || is_complete) {
            later.add(|| waker.wake());
        }
        if is_complete
            && !self.then.is_empty()
            && let Some(job) = job.upgrade()
        {
            for then in self.then.drain(..) {
                let job = job.clone();
                later.add(|| then(job));
            }
            later.drop(job);
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("away", &self.inbox().away).finish_non_exhaustive()
    }
}
