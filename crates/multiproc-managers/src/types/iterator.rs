//! A shared iterator.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use multiproc_wire::pickle::{Exception, Global, Object};

use tokio::sync::Mutex as AsyncMutex;

use super::{async_result::timeout, locked, steps::Steps, within};
use crate::{Call, Reply, Shared, raise};

/// An iterator that lives in a manager's server and goes one step at each request.
///
/// # Python
///
/// What an `IteratorProxy` refers to: a generator.
pub struct Iter(Source);

enum Source {
    /// Somebody's code, which may take its time. None once it has ended.
    Made(Arc<Made>),
    /// What a pool makes.
    Awaited(Arc<AsyncMutex<Option<Steps>>>),
}

type Made = Mutex<Option<Box<dyn Iterator<Item = Step> + Send>>>;
type Step = Result<Object, Exception>;

impl Iter {
    /// Shares an iterator.
    #[must_use]
    pub fn new(steps: impl Iterator<Item = Result<Object, Exception>> + Send + 'static) -> Self {
        Self(Source::Made(Arc::new(Mutex::new(Some(Box::new(steps))))))
    }

    /// Shares results that are awaited.
    pub(super) fn awaited(steps: Steps) -> Self {
        Self(Source::Awaited(Arc::new(AsyncMutex::new(Some(steps)))))
    }
}

/// What an iterator is asked for.
enum Ask {
    /// The next step, within a time.
    Step(Option<Duration>),
    /// No more, and what to say to that.
    End(Step),
}

impl Ask {
    fn of(method: &str, call: &mut Call) -> Result<Self, Exception> {
        let mut args = call.take_args();
        match method {
            "__next__" | "send" => {
                if method == "send" && !args.required("value")?.is_none() {
                    return Err(raise::type_error("iterator takes no values"));
                }
                let limit = args.timeout("timeout")?;
                args.finish()?;
                Ok(Self::Step(limit))
            }
            "throw" => Ok(Self::End(match args.required("exception")? {
                Object::Exception(exception) => Err(*exception),
                Object::Global(class) if class.is_exception() => Err(Exception::new(*class, [])),
                _ => Err(raise::type_error("exceptions must be classes or instances")),
            })),
            _ => args.finish().map(|()| Self::End(Ok(Object::None))),
        }
    }
}

fn step_of(steps: &Made, ask: Ask) -> Step {
    let mut steps = locked(steps);
    match ask {
        Ask::Step(_) => {
            let step = steps.as_mut().and_then(Iterator::next);
            if !matches!(step, Some(Ok(_))) {
                *steps = None;
            }
            step.unwrap_or_else(|| Err(end()))
        }
        Ask::End(answer) => {
            *steps = None;
            answer
        }
    }
}

/// An item that failed does not end the others.
async fn awaited_of(steps: &AsyncMutex<Option<Steps>>, ask: Ask) -> Step {
    match ask {
        Ask::Step(limit) => {
            let next = async {
                match &mut *steps.lock().await {
                    Some(steps) => steps.next().await,
                    None => None,
                }
            };
            let step = within(limit, next).await;
            step.unwrap_or_else(|| Some(Err(timeout()))).unwrap_or_else(|| Err(end()))
        }
        Ask::End(answer) => {
            *steps.lock().await = None;
            answer
        }
    }
}

fn end() -> Exception {
    Exception::new(Global::new("builtins", "StopIteration"), [])
}

impl Shared for Iter {
    fn methods(&self) -> &'static [&'static str] {
        &["__next__", "send", "throw", "close"]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        let method = std::mem::take(&mut call.method);
        let ask = match Ask::of(&method, &mut call) {
            Ok(ask) => ask,
            Err(err) => return Reply::Done(Err(err)),
        };
        match &self.0 {
            Source::Made(steps) => {
                let steps = steps.clone();
                Reply::blocking(move || step_of(&steps, ask).map(Into::into))
            }
            Source::Awaited(steps) => {
                let steps = steps.clone();
                Reply::later(async move { awaited_of(&steps, ask).await })
            }
        }
    }

    fn repr(&self) -> String {
        "<iterator>".to_owned()
    }
}

impl fmt::Debug for Iter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Iter(..)")
    }
}
