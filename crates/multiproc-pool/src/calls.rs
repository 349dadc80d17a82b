//! How the calls of one function become tasks: the same for processes and threads.

use std::{
    mem,
    sync::{Arc, Mutex},
};

use bytemuck::bytes_of;
use multiproc_image::Function;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    PlainData, TaskError,
    job::{Chunks, Done, Input, Job, Local, Outcome, Task},
    later::Later,
    program::{self, Program, WireProgram},
    sequence::{Block, Body, INLINE, Large, Pushed, Sequence},
    unpack::{
        Append, Unpack, append_local, append_plain, append_wire, unpack_local, unpack_plain,
        unpack_wire,
    },
};

/// As soon as so many bytes are together they are on their way.
const PORTION: usize = INLINE / 4;

/// A function to be called with `A`s, which makes `R`s of them.
pub(crate) struct Calls<A, R, C = Any<A>> {
    pub(crate) program: Program,
    way: Way<A, C>,
    pub(crate) unpack: Unpack<R>,
    pub(crate) append: Append<R>,
}

/// Adds calls' arguments to a sequence. To know at compile time how makes many small ones cheaper.
pub(crate) trait Coder<A>: Copy {
    fn put(self, sequence: &mut Sequence, args: &A) -> Result<Pushed, TaskError>;

    /// The same where that is not known.
    fn any(self) -> Any<A>;
}

/// By serde.
#[derive(Clone, Copy)]
pub(crate) struct Encoded;

/// As their own bytes.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

/// Either.
pub(crate) struct Any<A>(fn(&mut Sequence, &A) -> Result<Pushed, TaskError>);

impl<A> Clone for Any<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Any<A> {}

impl<A: Serialize> Coder<A> for Encoded {
    #[inline]
    fn put(self, sequence: &mut Sequence, args: &A) -> Result<Pushed, TaskError> {
        sequence.push(args).map_err(|err| TaskError::encode(&err))
    }

    fn any(self) -> Any<A> {
        Any(|sequence, args| Self.put(sequence, args))
    }
}

impl<T: PlainData> Coder<(T,)> for Plain {
    #[inline]
    fn put(self, sequence: &mut Sequence, (value,): &(T,)) -> Result<Pushed, TaskError> {
        Ok(sequence.push_plain(bytes_of(value)))
    }

    fn any(self) -> Any<(T,)> {
        Any(|sequence, args| Self.put(sequence, args))
    }
}

impl<A> Coder<A> for Any<A> {
    fn put(self, sequence: &mut Sequence, args: &A) -> Result<Pushed, TaskError> {
        (self.0)(sequence, args)
    }

    fn any(self) -> Self {
        self
    }
}

impl<A, R> Calls<A, R, Encoded> {
    /// The calls of a function in processes.
    pub(crate) fn wire<F>(function: F) -> Result<Self, TaskError>
    where
        F: Function<A, Output = R>,
        A: Serialize + DeserializeOwned + 'static,
        R: Serialize + DeserializeOwned,
    {
        let program = Program::Wire(WireProgram::new::<F, A>(function)?);
        let (unpack, append) = (unpack_wire::<R> as Unpack<R>, append_wire::<R> as Append<R>);
        Ok(Self { program, way: Way::Wire(Encoded), unpack, append })
    }
}

impl<A, R, C: Coder<A>> Calls<A, R, C> {
    /// The same without what is known at compile time.
    pub(crate) fn any(self) -> Calls<A, R> {
        let Self { program, way, unpack, append } = self;
        let way = match way {
            Way::Wire(coder) => Way::Wire(coder.any()),
            Way::Local(wrap) => Way::Local(wrap),
        };
        Calls { program, way, unpack, append }
    }

    /// Makes tasks of calls.
    pub(crate) fn packer(&self, job: Arc<Job>, chunksize: usize) -> Packer<A, C> {
        let pack = match self.way {
            Way::Wire(coder) => Pack::Wire(Sequence::default(), coder),
            Way::Local(wrap) => Pack::Local(Vec::new(), wrap),
        };
        let tasks = Vec::new();
        Packer { job, pack, chunksize, place: 0, count: 0, phase: 0, within: 0, tasks }
    }
}

impl<T: PlainData, R> Calls<(T,), R, Plain> {
    /// The calls of a function in processes, of values that are their own bytes.
    pub(crate) fn plain<F>(function: F) -> Result<Self, TaskError>
    where
        F: Function<(T,), Output = R>,
        R: PlainData,
    {
        let program = Program::Wire(WireProgram::plain::<F, T>(function)?);
        let (unpack, append) = (unpack_plain::<R> as Unpack<R>, append_plain::<R> as Append<R>);
        Ok(Self { program, way: Way::Wire(Plain), unpack, append })
    }
}

impl<A, R> Calls<A, R> {
    /// The calls of a function in threads.
    pub(crate) fn local<F>(function: F) -> Self
    where
        F: Fn(A) -> R + Send + Sync + 'static,
        A: Send + 'static,
        R: Send + 'static,
    {
        let program = program::local(function);
        let way = Way::Local(|calls| Box::new(calls));
        Self { program, way, unpack: unpack_local::<R>, append: append_local::<R> }
    }
}

/// How calls are gathered.
enum Way<A, C> {
    /// As bytes.
    Wire(C),
    /// As they are.
    Local(fn(Vec<A>) -> Local),
}

/// Makes tasks of calls.
pub(crate) struct Packer<A, C = Any<A>> {
    job: Arc<Job>,
    pack: Pack<A, C>,
    pub(crate) chunksize: usize,
    /// The place of the next call.
    pub(crate) place: usize,
    /// How many calls there are since the last task, and how many of their first chunk were in tasks before.
    count: usize,
    phase: usize,
    /// How many calls there are since the last end of a chunk.
    within: usize,
    tasks: Vec<Task>,
}

/// Calls that are no task yet.
enum Pack<A, C> {
    Wire(Sequence, C),
    Local(Vec<A>, fn(Vec<A>) -> Local),
}

impl<A, C: Coder<A>> Packer<A, C> {
    /// Adds a call. True if it is time to send the tasks that there are. A call whose arguments cannot be encoded is
    /// delivered as failed.
    #[inline]
    pub(crate) fn push(&mut self, args: A) -> bool {
        match &mut self.pack {
            Pack::Wire(sequence, coder) => match coder.put(sequence, &args) {
                Ok(Pushed::Inside) => {
                    let is_full = sequence.bytes.len() >= PORTION;
                    self.count_one();
                    if is_full {
                        self.cut(false);
                    }
                    is_full
                }
                Ok(Pushed::Large(large)) => {
                    self.push_large(large);
                    true
                }
                Err(err) => {
                    self.push_failure(err);
                    true
                }
            },
            Pack::Local(calls, _) => {
                calls.push(args);
                self.count_one();
                // Threads take a task as a whole.
                if !self.is_within_chunk() {
                    self.cut(false);
                }
                false
            }
        }
    }

    /// Adds calls until it is time to send the tasks that there are; false if there are no more calls.
    pub(crate) fn fill(&mut self, calls: &mut impl Iterator<Item = A>) -> bool {
        let Pack::Wire(sequence, coder) = &mut self.pack else {
            return calls.any(|args| self.push(args));
        };
        // What changes with each call is held here meanwhile, which is one step less to each.
        let (coder, mut held) = (*coder, sequence.take());
        let before = held.count;
        let last = loop {
            let Some(args) = calls.next() else { break None };
            match coder.put(&mut held, &args) {
                Ok(Pushed::Inside) if held.bytes.len() < PORTION => {}
                last => break Some(last),
            }
        };
        let inside = held.count - before;
        *sequence = held;
        self.count(inside);
        match last {
            None => return false,
            Some(Ok(Pushed::Inside)) => self.cut(false),
            Some(Ok(Pushed::Large(large))) => self.push_large(large),
            Some(Err(err)) => self.push_failure(err),
        }
        true
    }

    #[inline]
    fn count_one(&mut self) {
        self.place += 1;
        self.count += 1;
        self.within += 1;
        if self.within == self.chunksize {
            self.within = 0;
        }
    }

    fn count(&mut self, calls: usize) {
        self.place += calls;
        self.count += calls;
        self.within = (self.within + calls) % self.chunksize;
    }

    #[cold]
    fn push_large(&mut self, large: Large) {
        match large.into_block() {
            Ok(block) => {
                self.cut(false);
                self.count_one();
                let run = block.all();
                self.cut_with(Input::Wire { block: Arc::new(block), run }, false);
            }
            Err(err) => self.push_failure(TaskError::encode(&err)),
        }
    }

    #[cold]
    fn push_failure(&mut self, err: TaskError) {
        self.cut(false);
        self.job.send_off(1);
        let mut later = Later::default();
        let done = Done { start: self.place, count: 1, outcome: Outcome::Failed(err) };
        self.job.deliver(done, &mut later);
        later.run();
        self.place += 1;
    }

    /// True if the last call is not the last of its chunk.
    #[inline]
    pub(crate) fn is_within_chunk(&self) -> bool {
        self.within != 0
    }

    /// Ends a chunk, and takes the tasks that there are.
    pub(crate) fn end(&mut self) -> Vec<Task> {
        self.cut(true);
        (self.phase, self.within) = (0, 0);
        self.take()
    }

    /// Takes the tasks that there are.
    pub(crate) fn take(&mut self) -> Vec<Task> {
        mem::take(&mut self.tasks)
    }

    fn cut(&mut self, ends: bool) {
        if self.count > 0 {
            let input = self.pack.take();
            self.cut_with(input, ends);
        } else if ends && let Some(last) = self.tasks.last_mut() {
            last.chunks.ends = true;
        }
    }

    fn cut_with(&mut self, input: Input, ends: bool) {
        let count = mem::take(&mut self.count);
        let phase = mem::replace(&mut self.phase, self.within);
        let (job, start) = (self.job.clone(), self.place - count);
        let chunks = Chunks { size: self.chunksize, phase, ends };
        self.tasks.push(Task { job, start, count, input, deaths: 0, scares: 0, chunks });
    }
}

impl<A, C> Pack<A, C> {
    /// Takes the arguments of all calls since the last time.
    fn take(&mut self) -> Input {
        match self {
            Self::Wire(sequence, _) => {
                let Sequence { bytes, handles, .. } = sequence.take();
                if bytes.len() >= PORTION {
                    // There may be more like this.
                    sequence.bytes.reserve(bytes.len() + bytes.len() / 8);
                }
                let run = 0..bytes.len();
                Input::Wire { block: Arc::new(Block { body: Body::Memory(bytes), handles }), run }
            }
            Self::Local(calls, wrap) => {
                Input::Local(Arc::new(Mutex::new(Some(wrap(mem::take(calls))))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push<C: Coder<(u32,)>>(packer: &mut Packer<(u32,), C>, calls: u32) {
        (0..calls).for_each(|x| assert!(!packer.push((x,))));
    }

    #[test]
    fn task_of_processes_holds_many_chunks_and_can_be_cut_at_any_call() {
        let calls = Calls::<(u32,), u32, _>::wire(|x: u32| x).unwrap();
        let mut packer = calls.packer(Job::new(calls.program.clone()), 2);
        push(&mut packer, 5);
        let [task] = packer.end().try_into().unwrap();
        assert_eq!((task.start, task.count, task.chunk_ends()), (0, 5, 3));
        let (head, tail) = task.split(3);
        let (head, tail) = (head.unwrap(), tail.unwrap());
        assert_eq!((head.count, head.chunk_ends(), tail.count, tail.chunk_ends()), (3, 1, 2, 2));
        let (one, rest) = tail.portion(1, usize::MAX);
        let rest = rest.unwrap();
        assert_eq!((one.start, one.count, one.chunk_ends()), (3, 1, 1));
        assert_eq!((rest.start, rest.count, rest.chunk_ends()), (4, 1, 1));
        let (light, _) = head.portion(9, 4);
        assert_eq!((light.count, light.weight()), (2, 4));
    }

    #[test]
    fn calls_that_are_added_at_once_are_as_those_one_by_one() {
        let calls = Calls::<(u32,), u32, _>::wire(|x: u32| x).unwrap();
        let mut one_by_one = calls.packer(Job::new(calls.program.clone()), 7);
        let mut at_once = calls.packer(Job::new(calls.program.clone()), 7);
        for x in 0..10_000 {
            one_by_one.push((x,));
        }
        let mut items = (0..10_000).map(|x| (x,));
        while at_once.fill(&mut items) {}
        let show = |tasks: Vec<Task>| -> Vec<_> {
            tasks.iter().map(|task| (task.start, task.count, task.chunk_ends())).collect()
        };
        let tasks = show(at_once.end());
        assert!(tasks.len() > 1);
        assert_eq!(tasks, show(one_by_one.end()));
    }

    #[test]
    fn task_of_threads_is_one_chunk() {
        let calls: Calls<(u32,), u32> = Calls::local(|(x,)| x);
        let mut packer = calls.packer(Job::new(calls.program.clone()), 2);
        push(&mut packer, 5);
        let tasks: Vec<_> =
            packer.end().iter().map(|task| (task.start, task.count, task.chunk_ends())).collect();
        assert_eq!(tasks, [(0, 2, 1), (2, 2, 1), (4, 1, 1)]);
    }
}
