//! A shared pool of worker processes.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use multiproc_image::FnRef;
use multiproc_pool::TaskError;
use multiproc_process::{Context, StartMethod};
use multiproc_wire::pickle::{Exception, Object, Protocol, decode, encode};
use tokio::task::spawn_blocking;

use super::{
    Iter,
    async_result::AsyncResult,
    steps::{Chunk, Steps},
};
use crate::{
    Answer, Args, Call, Outcome, Reply, Shared, SharedError,
    error::chain,
    raise,
    server::drop_aside,
    values::{Held, LONG, elements},
};

/// A pool of worker processes that a manager's server has, for all its clients.
///
/// It calls functions of this program; the results are kept in the server until somebody asks for them.
/// When nobody refers to it any more, and no result of it is awaited, its workers are ended.
///
/// # If a process dies
///
/// What a dead client has asked for is done all the same, and nobody gets it. A worker that dies is replaced, its call
/// fails. The workers end with the server.
///
/// # Python
///
/// The `Pool` of a manager: `multiprocessing.pool.Pool`.
#[derive(Debug)]
pub struct Pool(Arc<Kept>);

/// A pool, which is ended by a thread that may wait for its workers.
pub(super) struct Kept(OnceLock<multiproc_pool::Pool>);

/// A function of this program that takes and returns objects.
pub(crate) type Worker = FnRef<(Object,), Result<Object, Exception>>;

/// A call on its way to a worker: the function, and its argument as a pickle.
type Job = (Worker, Vec<u8>);

/// Items, as long as they are needed, the calls with them, and how many go together.
type Jobs = (Vec<Held>, Vec<Job>, Option<usize>);

impl Pool {
    pub(crate) fn create(mut call: Call) -> Result<Arc<dyn Shared>, Exception> {
        let mut args = call.take_args();
        let mut builder = multiproc_pool::Pool::builder();
        if let StartMethod::Fork = Context::default().get_start_method() {
            // A server has threads, and what they hold nobody gives back in a copy.
            builder = builder.context(Context::forkserver());
        }
        let builder = match args.object("processes") {
            None | Some(Object::None) => builder,
            Some(Object::Int(processes)) => match usize::try_from(processes) {
                Ok(processes) if 0 < processes => builder.processes(processes),
                _ => return Err(raise::value_error("Number of processes must be at least 1")),
            },
            Some(_) => return Err(raise::type_error("argument 'processes' must be an int")),
        };
        args.finish()?;
        let pool = builder.build().map_err(|err| raise::builtin("OSError", chain(&err)))?;
        Ok(Arc::new(Self(Arc::new(Kept(OnceLock::from(pool))))))
    }

    fn imap(&self, call: &Call, args: &mut Args, ordered: bool) -> Outcome {
        let (held, jobs, chunksize) = jobs(call, args)?;
        let mut chunks: Vec<Chunk> = vec![];
        let mut jobs = jobs.into_iter();
        let size = chunksize.unwrap_or(1);
        loop {
            let some: Vec<Job> = jobs.by_ref().take(size).collect();
            if some.is_empty() {
                break;
            }
            let result = self.0.get().chunksize(size).map_async(work_at, some);
            chunks.push(Box::pin(async move {
                all_opened(result.await.map_err(SharedError::into_exception)?).await
            }));
        }
        let steps = Steps::new(chunks, ordered, (held, self.0.clone()));
        Ok(Answer::Shared { typeid: "Iterator".to_owned(), object: Arc::new(Iter::awaited(steps)) })
    }
}

/// Has a worker call a function, and returns what awaits the result.
fn apply(
    pool: Arc<Kept>,
    call: &Call,
    args: &mut Args,
) -> Result<impl Future<Output = Outcome> + use<>, Exception> {
    let function = function(args)?;
    let argument = call.hold(args.object("args").unwrap_or_else(|| Object::Tuple(vec![])));
    no_functions(args)?;
    let job = (function, pickled(&argument.object)?);
    let result = pool.get().apply_async(work, job);
    Ok(async move {
        let reply = result.await.map_err(SharedError::into_exception)?;
        let mut results = all_opened(vec![reply]).await?;
        // What the argument refers to is there until the worker is done with it, and so is the pool.
        drop((argument, pool));
        results.remove(0).map(Answer::Value)
    })
}

/// Has a function called with each of many, and returns what awaits all.
fn map(
    pool: Arc<Kept>,
    call: &Call,
    args: &mut Args,
) -> Result<impl Future<Output = Outcome> + use<>, Exception> {
    let (held, jobs, chunksize) = jobs(call, args)?;
    let result = match chunksize {
        None => pool.get().map_async(work_at, jobs),
        Some(size) => pool.get().chunksize(size).map_async(work_at, jobs),
    };
    Ok(async move {
        let replies = result.await.map_err(SharedError::into_exception)?;
        drop((held, pool));
        let results = all_opened(replies).await?.into_iter().collect::<Result<_, _>>()?;
        Ok(Object::List(results).into())
    })
}

/// Has the workers given something to do, by a thread of its own if that takes its time: others are served
/// meanwhile.
async fn given<F: Send + 'static>(
    takes_time: bool,
    give: impl FnOnce() -> Result<F, Exception> + Send + 'static,
) -> Result<F, Exception> {
    if !takes_time {
        return give();
    }
    spawn_blocking(give).await.unwrap_or_else(|err| Err(raise::runtime_error(err.to_string())))
}

impl Shared for Pool {
    fn methods(&self) -> &'static [&'static str] {
        &[
            "apply",
            "apply_async",
            "close",
            "imap",
            "imap_unordered",
            "join",
            "map",
            "map_async",
            "starmap",
            "starmap_async",
            "terminate",
        ]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        let mut args = call.take_args();
        let method = std::mem::take(&mut call.method);
        match &*method {
            "apply" | "apply_async" => {
                let (pool, takes_time) = (self.0.clone(), call.is_long);
                let coming = given(takes_time, move || apply(pool, &call, &mut args));
                answered(coming, method == "apply")
            }
            // How an item becomes arguments is the matter of the function that the proxy makes.
            "map" | "starmap" | "map_async" | "starmap_async" => {
                let pool = self.0.clone();
                let coming = given(true, move || map(pool, &call, &mut args));
                answered(coming, !method.ends_with("_async"))
            }
            "imap" | "imap_unordered" => {
                Reply::blocking(move || self.imap(&call, &mut args, method == "imap"))
            }
            "close" | "terminate" => Reply::blocking(move || {
                args.finish()?;
                match &*method {
                    "close" => self.0.get().close(),
                    _ => self.0.get().terminate(),
                }
                Ok(().into())
            }),
            "join" => Reply::blocking(move || {
                args.finish()?;
                self.0.get().join().map_err(|_| raise::value_error("Pool is still running"))?;
                Ok(().into())
            }),
            _ => Reply::unknown(&call),
        }
    }

    fn repr(&self) -> String {
        format!("{:?}", self.0.get())
    }
}

/// Answers with the result, or at once with what awaits it.
fn answered<F>(
    coming: impl Future<Output = Result<F, Exception>> + Send + 'static,
    waits: bool,
) -> Reply
where
    F: Future<Output = Outcome> + Send + 'static,
{
    Reply::later(async move {
        let outcome = coming.await?;
        if waits { outcome.await } else { Ok(AsyncResult::share(outcome)) }
    })
}

impl Kept {
    fn get(&self) -> &multiproc_pool::Pool {
        self.0.get().expect("only drop takes it out")
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Its end is waited for, which the thread that serves must not do.
        let Some(pool) = self.0.take() else { return };
        pool.terminate();
        drop_aside(pool);
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.get().fmt(f)
    }
}

/// What a worker does: calls the function and pickles what becomes of it.
fn work(function: Worker, argument: Vec<u8>) -> Vec<u8> {
    let argument = decode(&argument).map_err(|err| raise::type_error(chain(&err)));
    let result = argument.and_then(|argument| function.call((argument,)));
    reply(result).unwrap_or_else(|err| {
        let raised = reply(Err(raise::type_error(chain(&err))));
        // A text can always be written.
        raised.unwrap_or_default()
    })
}

fn work_at((function, argument): Job) -> Vec<u8> {
    work(function, argument)
}

fn reply(
    result: Result<Object, Exception>,
) -> Result<Vec<u8>, multiproc_wire::pickle::ObjectError> {
    let object = match result {
        Ok(value) => Object::Tuple(vec![true.into(), value]),
        Err(exception) => Object::Tuple(vec![false.into(), exception.into()]),
    };
    encode(&object, Protocol::default())
}

/// Reads what workers have made of calls.
async fn all_opened(replies: Vec<Vec<u8>>) -> Result<Vec<Result<Object, Exception>>, Exception> {
    let length: usize = replies.iter().map(Vec::len).sum();
    let open = move || Ok(replies.iter().map(|reply| opened(reply)).collect());
    given(LONG <= length, open).await
}

/// Reads what a worker has made of a call.
fn opened(reply: &[u8]) -> Result<Object, Exception> {
    let fault = || raise::runtime_error("worker's reply cannot be read");
    let Ok(Object::Tuple(parts)) = decode(reply) else { return Err(fault()) };
    match <[Object; 2]>::try_from(parts) {
        Ok([Object::Bool(true), value]) => Ok(value),
        Ok([Object::Bool(false), Object::Exception(exception)]) => Err(*exception),
        _ => Err(fault()),
    }
}

fn pickled(argument: &Object) -> Result<Vec<u8>, Exception> {
    encode(argument, Protocol::default()).map_err(|err| raise::type_error(chain(&err)))
}

fn function(args: &mut Args) -> Result<Worker, Exception> {
    let foreign = || {
        raise::type_error(
            "function must be one of this program, which only its own proxies can name",
        )
    };
    let function = args.required("func")?;
    let function = function.as_bytes().ok_or_else(foreign)?;
    multiproc_wire::decode(function, vec![]).map_err(|_| foreign())
}

/// What is called with what.
fn jobs(call: &Call, args: &mut Args) -> Result<Jobs, Exception> {
    let function = function(args)?;
    let held: Vec<_> =
        elements(args.required("iterable")?)?.into_iter().map(|item| call.hold(item)).collect();
    let chunksize = match args.object("chunksize") {
        None | Some(Object::None) => None,
        Some(size) => {
            let size = size.as_int().and_then(|size| usize::try_from(size).ok());
            let size = size
                .filter(|size| 0 < *size)
                .ok_or_else(|| raise::value_error("Chunksize must be 1+"))?;
            Some(size)
        }
    };
    no_functions(args)?;
    let jobs = held.iter().map(|item| Ok((function, pickled(&item.object)?)));
    let jobs = jobs.collect::<Result<_, Exception>>()?;
    Ok((held, jobs, chunksize))
}

/// Callbacks would be called here, where the caller's are not; keyword arguments Rust does not have.
fn no_functions(args: &mut Args) -> Result<(), Exception> {
    std::mem::take(args).finish()
}

/// What a call of a pool fails with, as an exception that keeps its type for clients in Rust.
impl SharedError for TaskError {
    fn python_class(&self) -> &str {
        match self {
            Self::NotRunning => "ValueError",
            Self::Encode(_) | Self::Decode(_) => "TypeError",
            Self::TimedOut(_) => "TimeoutError",
            _ => "RuntimeError",
        }
    }
}
