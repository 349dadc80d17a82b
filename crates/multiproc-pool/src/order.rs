//! What a worker is told to do and what it answers, and how a function runs over a chunk of items.
//!
//! A *program* is a function with what is bound to it; a worker loads it once and runs it over one input after another.
//! An *input* is a chunk: the arguments of several calls.

use multiproc_image::{FnRef, Function};
use multiproc_process::panics;
use multiproc_wire::Message;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{TaskError, error::describe};

/// What a worker is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Run a program over a chunk.
    Run {
        /// Which program.
        job: u64,
        /// The program itself, unless it is the one that this worker ran last.
        program: Option<Message>,
        /// The chunk.
        input: Message,
    },
    /// Exit.
    Stop,
}

/// What a worker answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// Nothing was asked: the worker is there.
    Ready,
    /// All calls returned: their values, as one list.
    All(Message),
    /// Some did not: each by itself.
    Each(Vec<Result<Message, TaskError>>),
}

/// A loaded program.
type Runner = Box<dyn FnMut(Message) -> Reply>;

/// The part of a program that says which function it is.
type Loader = FnRef<(Message,), Result<Runner, TaskError>>;

/// Takes a chunk apart into its calls; none if it cannot be.
pub(crate) type Splitter = fn(&Message) -> Option<Vec<Message>>;

/// A program on the side of the pool, with what is known of its types.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) message: Message,
    /// Takes a chunk of several calls apart.
    pub(crate) split: Splitter,
}

impl Program {
    /// Makes the program that calls `function`.
    pub(crate) fn new<F, Args>(function: F) -> Result<Self, TaskError>
    where
        F: Function<Args>,
        F::Output: Serialize,
        Args: Serialize + DeserializeOwned + 'static,
    {
        let loader: Loader = FnRef::new(load::<F, Args>);
        let message = encode(&(loader, encode(&function.into_state())?))?;
        Ok(Self { message, split: split::<Args> })
    }
}

/// Encodes what is sent to a worker.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Message, TaskError> {
    multiproc_wire::encode(value).map_err(|err| TaskError::Encode(describe(&err)))
}

/// Decodes what came from the other side.
pub(crate) fn decode<T: DeserializeOwned>(message: Message) -> Result<T, TaskError> {
    message.decode().map_err(|err| TaskError::Decode(describe(&err)))
}

fn split<Args: Serialize + DeserializeOwned>(input: &Message) -> Option<Vec<Message>> {
    let calls: Vec<Args> = input.clone().decode().ok()?;
    calls.into_iter().map(|call| encode([call].as_slice()).ok()).collect()
}

/// In a worker: loads programs and runs them.
#[derive(Default)]
pub(crate) struct Machine {
    loaded: Option<(u64, Result<Runner, TaskError>)>,
}

impl Machine {
    /// Runs a program over a chunk.
    pub(crate) fn run(&mut self, job: u64, program: Option<Message>, input: Message) -> Reply {
        if let Some(program) = program {
            let loaded = decode::<(Loader, Message)>(program)
                .and_then(|(loader, state)| loader.call((state,)));
            self.loaded = Some((job, loaded));
        }
        match &mut self.loaded {
            Some((loaded, Ok(runner))) if *loaded == job => runner(input),
            Some((loaded, Err(err))) if *loaded == job => Reply::Each(vec![Err(err.clone())]),
            _ => Reply::Each(vec![Err(TaskError::Decode(
                "the worker was not given the program".into(),
            ))]),
        }
    }
}

/// In a worker: makes the function that a program names ready to run.
fn load<F, Args>(state: Message) -> Result<Runner, TaskError>
where
    F: Function<Args>,
    F::Output: Serialize,
    Args: DeserializeOwned + 'static,
{
    let state: F::State = decode(state)?;
    Ok(Box::new(move |input| match decode::<Vec<Args>>(input) {
        Ok(calls) => run::<F, Args>(&state, calls),
        Err(err) => Reply::Each(vec![Err(err)]),
    }))
}

fn run<F, Args>(state: &F::State, calls: Vec<Args>) -> Reply
where
    F: Function<Args>,
    F::Output: Serialize,
{
    let results: Vec<_> =
        calls.into_iter().map(|args| panics::catch(|| F::call(state, args), |_| {})).collect();
    let values: Option<Vec<&F::Output>> =
        results.iter().map(|result| result.as_ref().ok()).collect();
    if let Some(Ok(message)) = values.map(|values| multiproc_wire::encode(&values)) {
        return Reply::All(message);
    }
    let each = results.into_iter().map(|result| {
        let value = result.map_err(TaskError::Panicked)?;
        multiproc_wire::encode(&value).map_err(|err| TaskError::Result(describe(&err)))
    });
    Reply::Each(each.collect())
}

/// On the side of the pool: the results of `count` calls.
pub(crate) fn results<R: DeserializeOwned>(
    reply: Reply,
    count: usize,
) -> Vec<Result<R, TaskError>> {
    let all_failed = |err: &TaskError| (0..count).map(|_| Err(err.clone())).collect();
    match reply {
        Reply::Ready => all_failed(&TaskError::Decode("the worker answered nothing".into())),
        Reply::All(message) => match decode::<Vec<R>>(message) {
            Ok(values) if values.len() == count => values.into_iter().map(Ok).collect(),
            Ok(_) => all_failed(&TaskError::Decode(
                "the worker answered for another number of calls".into(),
            )),
            Err(err) => all_failed(&err),
        },
        Reply::Each(each) if each.len() == count => {
            each.into_iter().map(|result| result.and_then(decode)).collect()
        }
        // What failed before the first call failed for all.
        Reply::Each(mut each) => match each.pop() {
            Some(Err(err)) => all_failed(&err),
            _ => all_failed(&TaskError::Decode(
                "the worker answered for another number of calls".into(),
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(x: u32) -> u32 {
        assert!(x.is_multiple_of(2), "odd");
        x / 2
    }

    #[test]
    fn one_panic_costs_one_result() {
        let program = Program::new::<_, (u32,)>(half).unwrap();
        let mut machine = Machine::default();
        let input = |calls: &[(u32,)]| encode(calls).unwrap();

        let reply = machine.run(1, Some(program.message), input(&[(2,), (4,)]));
        assert_eq!(results::<u32>(reply, 2), [Ok(1), Ok(2)]);
        let mixed = results::<u32>(machine.run(1, None, input(&[(2,), (3,), (4,)])), 3);
        assert_eq!((&mixed[0], &mixed[2]), (&Ok(1), &Ok(2)));
        assert!(matches!(&mixed[1], Err(TaskError::Panicked(report)) if report.message == "odd"));
        let unknown = results::<u32>(machine.run(2, None, input(&[(2,), (4,)])), 2);
        assert!(unknown.iter().all(|result| matches!(result, Err(TaskError::Decode(_)))));
    }

    #[test]
    fn what_does_not_decode_fails_its_calls_only() {
        let wrong = Reply::All(multiproc_wire::encode([7u8].as_slice()).unwrap());
        assert!(matches!(results::<bool>(wrong, 1)[..], [Err(TaskError::Decode(_))]));
        let short = Reply::All(multiproc_wire::encode([1u8].as_slice()).unwrap());
        assert_eq!(results::<u8>(short, 3).len(), 3);
    }

    #[test]
    fn chunk_splits_into_its_calls() {
        let program = Program::new::<_, (u32,)>(half).unwrap();
        let parts = (program.split)(&encode([(1u32,), (2,), (3,)].as_slice()).unwrap()).unwrap();
        let calls: Vec<Vec<(u32,)>> =
            parts.into_iter().map(|part| part.decode().unwrap()).collect();
        assert_eq!(calls, [[(1,)], [(2,)], [(3,)]]);
    }
}
