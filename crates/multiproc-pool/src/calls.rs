//! How the calls of one function become tasks, and what is done becomes results: the same for processes and threads.

use std::{
    mem,
    sync::{Arc, Mutex},
};

use multiproc_image::Function;
use multiproc_wire::decode_items;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    TaskError,
    job::{Done, Input, Job, Local, Outcome, Task},
    program::{self, Program, WireProgram},
    sequence::{Block, Body, INLINE, Run, Sequence, slices},
};

/// As soon as so many bytes are together they are on their way.
const PORTION: usize = INLINE / 2;

/// A function to be called with `A`s, which makes `R`s of them.
pub(crate) struct Calls<A, R> {
    pub(crate) program: Program,
    pack: fn() -> Box<dyn Pack<A>>,
    pub(crate) unpack: Unpack<R>,
}

/// Calls its argument with the result of each call, and its place.
pub(crate) type Unpack<R> = fn(Done, &mut dyn FnMut(usize, Result<R, TaskError>));

impl<A, R> Calls<A, R> {
    /// The calls of a function in processes.
    pub(crate) fn wire<F>(function: F) -> Result<Self, TaskError>
    where
        F: Function<A, Output = R>,
        A: Serialize + DeserializeOwned + 'static,
        R: Serialize + DeserializeOwned,
    {
        let program = Program::Wire(WireProgram::new::<F, A>(function)?);
        Ok(Self { program, pack: || Box::new(WirePack::default()), unpack: unpack_wire::<R> })
    }

    /// The calls of a function in threads.
    pub(crate) fn local<F>(function: F) -> Self
    where
        F: Fn(A) -> R + Send + Sync + 'static,
        A: Send + 'static,
        R: Send + 'static,
    {
        let program = program::local(function);
        let pack = || -> Box<dyn Pack<A>> {
            Box::new(LocalPack { calls: Vec::new(), inputs: Vec::new() })
        };
        Self { program, pack, unpack: unpack_local::<R> }
    }

    /// Makes tasks of calls.
    pub(crate) fn packer(&self, job: Arc<Job>) -> Packer<A> {
        Packer { job, pack: (self.pack)(), place: 0, chunk: 0, tasks: Vec::new() }
    }
}

/// Gathers calls.
trait Pack<A>: Send {
    /// Adds a call; true if it is time to send what there is.
    fn push(&mut self, args: A) -> Result<bool, TaskError>;

    /// Makes what was added since the last time one task.
    fn cut(&mut self);

    /// Takes out the arguments of the tasks, in their order.
    fn take(&mut self) -> Result<Vec<Input>, TaskError>;
}

/// Makes tasks of calls.
pub(crate) struct Packer<A> {
    job: Arc<Job>,
    pack: Box<dyn Pack<A>>,
    /// The place of the next call.
    pub(crate) place: usize,
    /// How many calls there are since the last cut.
    chunk: usize,
    /// Tasks whose arguments are still with `pack`: the place of the first call, their number, whether it ends a chunk.
    tasks: Vec<(usize, usize, bool)>,
}

impl<A> Packer<A> {
    /// Adds a call. Tasks are returned when it is time to send them. A call whose arguments cannot be encoded is
    /// delivered as failed.
    pub(crate) fn push(&mut self, args: A) -> Vec<Task> {
        match self.pack.push(args) {
            Ok(is_time) => {
                self.place += 1;
                self.chunk += 1;
                if is_time {
                    self.cut(false);
                    return self.take();
                }
                Vec::new()
            }
            Err(err) => {
                self.cut(false);
                let tasks = self.take();
                self.fail(self.place, 1, err);
                self.place += 1;
                tasks
            }
        }
    }

    fn fail(&self, start: usize, count: usize, err: TaskError) {
        self.job.send_off(count);
        self.job.deliver(Done { start, count, outcome: Outcome::Failed(err) });
    }

    /// How many calls the task has that is being made.
    pub(crate) fn chunk(&self) -> usize {
        self.chunk
    }

    /// Ends a chunk.
    pub(crate) fn end_chunk(&mut self) {
        self.cut(true);
    }

    fn cut(&mut self, ends_chunk: bool) {
        let count = mem::take(&mut self.chunk);
        if count > 0 {
            self.pack.cut();
            self.tasks.push((self.place - count, count, ends_chunk));
        } else if ends_chunk && let Some(last) = self.tasks.last_mut() {
            last.2 = true;
        }
    }

    /// Takes the tasks that there are.
    pub(crate) fn take(&mut self) -> Vec<Task> {
        let tasks = mem::take(&mut self.tasks);
        match self.pack.take() {
            Ok(inputs) => tasks
                .into_iter()
                .zip(inputs)
                .map(|((start, count, ends_chunk), input)| {
                    let job = self.job.clone();
                    Task { job, start, count, input, deaths: 0, scares: 0, ends_chunk }
                })
                .collect(),
            Err(err) => {
                for (start, count, _) in tasks {
                    self.fail(start, count, err.clone());
                }
                Vec::new()
            }
        }
    }
}

#[derive(Default)]
struct WirePack {
    sequence: Sequence,
    runs: Vec<Run>,
    /// How far the runs go.
    end: (usize, usize),
}

impl<A: Serialize> Pack<A> for WirePack {
    fn push(&mut self, args: A) -> Result<bool, TaskError> {
        self.sequence.push(&args).map_err(|err| TaskError::encode(&err))?;
        Ok(self.sequence.bytes.len() >= PORTION)
    }

    fn cut(&mut self) {
        let end = (self.sequence.lens.len(), self.sequence.bytes.len());
        self.runs.push(Run { lens: self.end.0..end.0, bytes: self.end.1..end.1 });
        self.end = end;
    }

    fn take(&mut self) -> Result<Vec<Input>, TaskError> {
        let runs = mem::take(&mut self.runs);
        self.end = (0, 0);
        let Sequence { bytes, lens, handles, .. } = self.sequence.take();
        let body = Body::new(bytes).map_err(|err| TaskError::encode(&err))?;
        let block = Arc::new(Block { body, lens, handles });
        Ok(runs.into_iter().map(|run| Input::Wire { block: block.clone(), run }).collect())
    }
}

/// Calls that are handed over as they are.
struct LocalPack<A> {
    calls: Vec<A>,
    inputs: Vec<Input>,
}

impl<A: Send + 'static> Pack<A> for LocalPack<A> {
    fn push(&mut self, args: A) -> Result<bool, TaskError> {
        self.calls.push(args);
        Ok(false)
    }

    fn cut(&mut self) {
        let calls: Local = Box::new(mem::take(&mut self.calls));
        self.inputs.push(Input::Local(Arc::new(Mutex::new(Some(calls)))));
    }

    fn take(&mut self) -> Result<Vec<Input>, TaskError> {
        Ok(mem::take(&mut self.inputs))
    }
}

fn unpack_wire<R: DeserializeOwned>(done: Done, each: &mut dyn FnMut(usize, Result<R, TaskError>)) {
    let Done { start, count, outcome } = done;
    let (body, lens, fds) = match outcome {
        Outcome::Wire { body, lens, fds } => (body, lens, fds),
        Outcome::Failed(err) => return fail(start, count, &err, each),
        Outcome::Local(_) => {
            let err = TaskError::Decode("a thread has answered for a process".into());
            return fail(start, count, &err, each);
        }
    };
    let bytes = match body.into_bytes() {
        Ok(bytes) => bytes,
        Err(err) => return fail(start, count, &TaskError::decode(&err), each),
    };
    let mut place = start;
    let end = start + count;
    if fds.is_empty() {
        for (is_error, item) in slices(&lens, &bytes).take(count) {
            each(place, if is_error { Err(error(item)) } else { value(item) });
            place += 1;
        }
    } else {
        let values = slices(&lens, &bytes).filter(|(is_error, _)| !is_error);
        let mut read = Vec::with_capacity(count);
        decode_items(values.map(|(_, item)| item), fds, |value| {
            read.push(value.map_err(|err| TaskError::decode(&err)));
        });
        let mut read = read.into_iter();
        for (is_error, item) in slices(&lens, &bytes).take(count) {
            let result = if is_error { Some(Err(error(item))) } else { read.next() };
            let Some(result) = result else { break };
            each(place, result);
            place += 1;
        }
    }
    if place < end {
        let err = TaskError::Decode("the worker has answered for fewer calls".into());
        fail(place, end - place, &err, each);
    }
}

fn value<R: DeserializeOwned>(item: &[u8]) -> Result<R, TaskError> {
    multiproc_wire::decode_plain(item).map_err(|err| TaskError::decode(&err))
}

fn error(item: &[u8]) -> TaskError {
    multiproc_wire::decode_plain(item).unwrap_or_else(|err| TaskError::decode(&err))
}

fn unpack_local<R: 'static>(done: Done, each: &mut dyn FnMut(usize, Result<R, TaskError>)) {
    let Done { start, count, outcome } = done;
    let results = match outcome {
        Outcome::Local(results) => results.downcast::<Vec<Result<R, TaskError>>>().ok(),
        Outcome::Failed(err) => return fail(start, count, &err, each),
        Outcome::Wire { .. } => None,
    };
    let Some(results) = results else {
        return fail(start, count, &TaskError::Decode("it is of another type".into()), each);
    };
    for (place, result) in (start..).zip(*results) {
        each(place, result);
    }
}

fn fail<R>(
    start: usize,
    count: usize,
    err: &TaskError,
    each: &mut dyn FnMut(usize, Result<R, TaskError>),
) {
    (start..start + count).for_each(|place| each(place, Err(err.clone())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_calls_are_cut_into_tasks() {
        let calls: Calls<(u32,), u32> = Calls::wire(|x: u32| x).unwrap();
        let mut packer = calls.packer(Job::new(calls.program.clone()));
        for x in 0..5u32 {
            assert!(packer.push((x,)).is_empty());
            if packer.chunk() == 2 {
                packer.end_chunk();
            }
        }
        packer.end_chunk();
        let tasks: Vec<_> =
            packer.take().iter().map(|task| (task.start, task.count, task.ends_chunk)).collect();
        assert_eq!(tasks, [(0, 2, true), (2, 2, true), (4, 1, true)]);
    }
}
