//! A function as workers know it: something that runs over the calls of a task.

use std::{fmt, sync::Arc};

use bytemuck::bytes_of;
use multiproc_image::{FnRef, Function};
use multiproc_process::{failure::error_text, panics};
use multiproc_sys::primitive::{AtomicU64, Ordering};
use multiproc_wire::Message;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    PlainData, TaskError,
    job::Local,
    state,
    worker::{Claims, Desk, last_words},
};

/// A function with what is bound to it.
#[derive(Clone)]
pub(crate) enum Program {
    /// For another process: what a worker loads once.
    Wire(WireProgram),
    /// For a thread: it takes the calls and gives the results.
    Local(Arc<LocalProgram>),
}

/// Runs over calls as long as they can be claimed, and returns what came of each.
pub(crate) type LocalProgram = dyn Fn(Local, &mut Claims<'_>) -> (usize, Local) + Send + Sync;

/// A program that can be sent.
#[derive(Clone)]
pub(crate) struct WireProgram {
    /// The same for the same program, so that a worker that has it is not sent it again.
    pub(crate) key: u64,
    loader: Loader,
    state: Message,
}

/// Runs a function over the calls on a desk.
pub(crate) type Runner = Box<dyn Fn(&mut Desk<'_>)>;

/// The part of a program that says which function it is.
type Loader = FnRef<(Message,), Result<Runner, TaskError>>;

/// Set in the keys of programs with something bound to them, which are numbered.
const NUMBERED: u64 = 1 << 63;

impl WireProgram {
    /// Makes the program that calls `function`.
    pub(crate) fn new<F, Args>(function: F) -> Result<Self, TaskError>
    where
        F: Function<Args>,
        F::Output: Serialize,
        Args: DeserializeOwned + 'static,
    {
        Self::of(function, load::<F, Args>, FnRef::new(load::<F, Args>))
    }

    /// As [`new`](Self::new), for values that are their own bytes.
    pub(crate) fn plain<F, T>(function: F) -> Result<Self, TaskError>
    where
        F: Function<(T,), Output: PlainData>,
        T: PlainData,
    {
        Self::of(function, load_plain::<F, T>, FnRef::new(load_plain::<F, T>))
    }

    fn of<F: Function<Args>, Args>(
        function: F,
        code: fn(Message) -> Result<Runner, TaskError>,
        loader: Loader,
    ) -> Result<Self, TaskError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let state = encode(&function.into_state())?;
        let key = if state.bytes.is_empty() {
            // Nothing but code: where it stands says which it is.
            code as usize as u64
        } else {
            NUMBERED | NEXT.fetch_add(1, Ordering::Relaxed)
        };
        Ok(Self { key, loader, state })
    }

    /// What is sent.
    pub(crate) fn message(&self) -> Result<Message, TaskError> {
        multiproc_wire::encode(&(&self.loader, &self.state)).map_err(|err| TaskError::encode(&err))
    }

    /// In a worker: makes what was sent ready to run.
    pub(crate) fn load(message: Message) -> Result<Runner, TaskError> {
        let (loader, state): (Loader, Message) =
            message.decode().map_err(|err| TaskError::decode(&err))?;
        loader.call((state,))
    }
}

/// In a worker: makes the function that a program names ready to run.
fn load<F, Args>(state: Message) -> Result<Runner, TaskError>
where
    F: Function<Args>,
    F::Output: Serialize,
    Args: DeserializeOwned + 'static,
{
    let state: F::State = state.decode().map_err(|err| TaskError::decode(&err))?;
    Ok(Box::new(move |desk| {
        // A panic ends one call, and the next one begins: to catch each by itself would cost each.
        while let Err(report) = panics::catch(|| run::<F, Args>(&state, desk), last_words) {
            desk.fail(&TaskError::Panicked(report));
        }
    }))
}

/// As [`load`], for values that are their own bytes.
fn load_plain<F, T>(state: Message) -> Result<Runner, TaskError>
where
    F: Function<(T,), Output: PlainData>,
    T: PlainData,
{
    let state: F::State = state.decode().map_err(|err| TaskError::decode(&err))?;
    Ok(Box::new(move |desk| {
        while let Err(report) = panics::catch(|| run_plain::<F, T>(&state, desk), last_words) {
            desk.fail(&TaskError::Panicked(report));
        }
    }))
}

fn run_plain<F, T>(state: &F::State, desk: &mut Desk<'_>)
where
    F: Function<(T,), Output: PlainData>,
    T: PlainData,
{
    while let Some(item) = desk.next_plain() {
        match item {
            Ok(value) => desk.answer_plain(bytes_of(&F::call(state, (value,)))),
            Err(err) => desk.fail(&err),
        }
    }
}

fn run<F, Args>(state: &F::State, desk: &mut Desk<'_>)
where
    F: Function<Args>,
    F::Output: Serialize,
    Args: DeserializeOwned + 'static,
{
    while let Some(args) = desk.next::<Args>() {
        match args {
            Ok(args) => desk.answer(&F::call(state, args)),
            Err(err) => desk.fail(&TaskError::decode(&err)),
        }
    }
}

/// Makes the program that calls `function` in threads.
pub(crate) fn local<A, R, F>(function: F) -> Program
where
    F: Fn(A) -> R + Send + Sync + 'static,
    A: Send + 'static,
    R: Send + 'static,
{
    Program::Local(Arc::new(move |calls: Local, claims: &mut Claims<'_>| {
        let calls = *calls.downcast::<Vec<A>>().expect("the calls of a program have its type");
        let mut results: Vec<Result<R, TaskError>> = Vec::with_capacity(calls.len());
        for call in calls {
            if !claims.claim() {
                break;
            }
            let result = panics::catch(|| function(call), |_| {});
            results.push(result.map_err(TaskError::Panicked));
        }
        (results.len(), Box::new(results) as Local)
    }))
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(program) => write!(f, "Program({:x})", program.key),
            Self::Local(_) => f.write_str("Program"),
        }
    }
}

/// Something to be done once in each worker, with its arguments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Errand {
    function: FnRef<(Message,), Result<(), TaskError>>,
    state: Message,
}

impl Errand {
    /// Describes a call of `function`; what it returns is thrown away, unless it is an `Err`, which is a failure.
    pub(crate) fn new<F, Args>(function: F, args: Args) -> Result<Self, TaskError>
    where
        F: Function<Args>,
        F::Output: Serialize,
        Args: Serialize + DeserializeOwned + 'static,
    {
        let state = encode(&(function.into_state(), args))?;
        Ok(Self { function: FnRef::new(do_errand::<F, Args>), state })
    }

    /// Describes a call of `function`, whose value the worker keeps for its tasks.
    pub(crate) fn state<F, Args>(function: F, args: Args) -> Result<Self, TaskError>
    where
        F: Function<Args, Output: 'static>,
        Args: Serialize + DeserializeOwned + 'static,
    {
        let state = encode(&(function.into_state(), args))?;
        Ok(Self { function: FnRef::new(make_state::<F, Args>), state })
    }

    /// Does it. An `Err` and a panic say what went wrong.
    pub(crate) fn run(&self) -> Result<(), TaskError> {
        panics::catch(|| self.function.call((self.state.clone(),)), last_words)
            .unwrap_or_else(|report| Err(TaskError::Panicked(report)))
    }
}

fn encode<T: Serialize>(value: &T) -> Result<Message, TaskError> {
    multiproc_wire::encode(value).map_err(|err| TaskError::encode(&err))
}

fn do_errand<F, Args>(state: Message) -> Result<(), TaskError>
where
    F: Function<Args>,
    F::Output: Serialize,
    Args: DeserializeOwned + 'static,
{
    let (state, args): (F::State, Args) = state.decode().map_err(|err| TaskError::decode(&err))?;
    match error_text(&F::call(&state, args)) {
        Some(text) => Err(TaskError::Result(text)),
        None => Ok(()),
    }
}

fn make_state<F, Args>(state: Message) -> Result<(), TaskError>
where
    F: Function<Args, Output: 'static>,
    Args: DeserializeOwned + 'static,
{
    let (state, args): (F::State, Args) = state.decode().map_err(|err| TaskError::decode(&err))?;
    state::keep(F::call(&state, args));
    Ok(())
}
