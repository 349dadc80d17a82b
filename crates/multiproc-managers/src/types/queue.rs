//! A shared queue.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use multiproc_wire::pickle::{Exception, Object};
use tokio::sync::Notify;

use super::{locked, within};
use crate::{Answer, Args, Call, Outcome, Reply, Shared, args::duration, raise, values::Held};

/// A queue that lives in a manager's server.
///
/// # If a process dies
///
/// One that waits is forgotten. An item is lost only if its taker dies while the item is on its way.
///
/// # Python
///
/// The `Queue` and `JoinableQueue` of a manager: `queue.Queue`.
#[derive(Debug)]
pub struct Queue {
    /// None for no limit.
    most: Option<usize>,
    state: Mutex<State>,
    more: Notify,
    less: Notify,
    done: Notify,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Held>,
    unfinished: usize,
    shut_down: bool,
}

/// Why something cannot be done at once.
enum Obstacle {
    Wait,
    Raise(Exception),
}

impl Queue {
    /// Makes a queue without a limit.
    #[must_use]
    pub fn new() -> Self {
        Self::with_most(None)
    }

    /// Makes a queue of at most so many items; none at all is no limit, as in Python.
    #[must_use]
    pub fn bounded(most: usize) -> Self {
        Self::with_most(Some(most).filter(|most| 0 < *most))
    }

    fn with_most(most: Option<usize>) -> Self {
        let (more, less, done) = (Notify::new(), Notify::new(), Notify::new());
        Self { most, state: Mutex::default(), more, less, done }
    }

    pub(crate) fn create(mut call: Call) -> Result<Arc<dyn Shared>, Exception> {
        let mut args = call.take_args();
        let most = args.int("maxsize", 0)?;
        args.finish()?;
        Ok(Arc::new(Self::bounded(usize::try_from(most).unwrap_or(0))))
    }

    fn is_full(&self, state: &State) -> bool {
        self.most.is_some_and(|most| most <= state.items.len())
    }

    fn try_put(&self, item: &mut Option<Held>) -> Result<(), Obstacle> {
        let mut state = locked(&self.state);
        if state.shut_down {
            return Err(Obstacle::Raise(raise::queue("ShutDown")));
        }
        if self.is_full(&state) {
            return Err(Obstacle::Wait);
        }
        state.items.extend(item.take());
        state.unfinished += 1;
        self.more.notify_one();
        Ok(())
    }

    fn try_get(&self) -> Result<Answer, Obstacle> {
        let mut state = locked(&self.state);
        match state.items.pop_front() {
            Some(item) => {
                self.less.notify_one();
                Ok(item.into())
            }
            None if state.shut_down => Err(Obstacle::Raise(raise::queue("ShutDown"))),
            None => Err(Obstacle::Wait),
        }
    }

    /// Does it at once, or when it can be done.
    fn eventually<T: Into<Answer> + Send + 'static>(
        self: Arc<Self>,
        patience: Result<(bool, Option<Duration>), Exception>,
        failure: &'static str,
        changed: fn(&Self) -> &Notify,
        mut attempt: impl FnMut(&Self) -> Result<T, Obstacle> + Send + 'static,
    ) -> Reply {
        let (block, limit) = match patience {
            Ok(patience) => patience,
            Err(err) => return Reply::Done(Err(err)),
        };
        match attempt(&self) {
            Ok(value) => return Reply::Done(Ok(value.into())),
            Err(Obstacle::Raise(err)) => return Reply::Done(Err(err)),
            Err(Obstacle::Wait) if !block => return Reply::Done(Err(raise::queue(failure))),
            Err(Obstacle::Wait) => {}
        }
        Reply::later(async move {
            let done = async {
                loop {
                    let mut changed = pin!(changed(&self).notified());
                    changed.as_mut().enable();
                    match attempt(&self) {
                        Ok(value) => return Ok(value.into()),
                        Err(Obstacle::Raise(err)) => return Err(err),
                        Err(Obstacle::Wait) => changed.await,
                    }
                }
            };
            within::<Outcome>(limit, done).await.unwrap_or_else(|| Err(raise::queue(failure)))
        })
    }

    fn put(self: Arc<Self>, mut call: Call, waits: bool) -> Reply {
        let mut args = call.take_args();
        let item = match args.required("item") {
            Ok(item) => call.hold(item),
            Err(err) => return Reply::Done(Err(err)),
        };
        let mut item = Some(item);
        self.eventually(
            patience(args, waits),
            "Full",
            |queue| &queue.less,
            move |queue| queue.try_put(&mut item),
        )
    }

    fn shut_down(&self, immediate: bool) {
        let mut state = locked(&self.state);
        state.shut_down = true;
        if immediate {
            let left = state.items.len();
            state.items.clear();
            state.unfinished = state.unfinished.saturating_sub(left);
        }
        if state.unfinished == 0 {
            self.done.notify_waiters();
        }
        self.more.notify_waiters();
        self.less.notify_waiters();
    }
}

/// Reads `block` and `timeout`, as queues take them.
fn patience(mut args: Args, waits: bool) -> Result<(bool, Option<Duration>), Exception> {
    if !waits {
        args.finish()?;
        return Ok((false, None));
    }
    let (block, seconds) = (args.flag("block", true)?, args.seconds("timeout")?);
    args.finish()?;
    match seconds {
        Some(seconds) if block && seconds < 0.0 => {
            Err(raise::value_error("'timeout' must be a non-negative number"))
        }
        seconds => Ok((block, seconds.map(duration))),
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared for Queue {
    fn methods(&self) -> &'static [&'static str] {
        &[
            "empty",
            "full",
            "get",
            "get_nowait",
            "join",
            "put",
            "put_nowait",
            "qsize",
            "shutdown",
            "task_done",
        ]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        match call.method() {
            "qsize" => Reply::value(locked(&self.state).items.len()),
            "empty" => Reply::value(locked(&self.state).items.is_empty()),
            "full" => Reply::value(self.is_full(&locked(&self.state))),
            "put" => self.put(call, true),
            "put_nowait" => self.put(call, false),
            "get" | "get_nowait" => {
                let waits = call.method() == "get";
                let patience = patience(call.take_args(), waits);
                self.eventually(patience, "Empty", |queue| &queue.more, Self::try_get)
            }
            "task_done" => {
                let mut state = locked(&self.state);
                let Some(left) = state.unfinished.checked_sub(1) else {
                    let text = "task_done() called too many times";
                    return Reply::Done(Err(raise::value_error(text)));
                };
                state.unfinished = left;
                if left == 0 {
                    self.done.notify_waiters();
                }
                Reply::value(Object::None)
            }
            "join" => Reply::later(async move {
                let mut done = pin!(self.done.notified());
                done.as_mut().enable();
                if locked(&self.state).unfinished != 0 {
                    done.await;
                }
                Ok(Object::None)
            }),
            "shutdown" => match call.take_args().flag("immediate", false) {
                Ok(immediate) => {
                    self.shut_down(immediate);
                    Reply::value(Object::None)
                }
                Err(err) => Reply::Done(Err(err)),
            },
            _ => Reply::unknown(&call),
        }
    }

    fn repr(&self) -> String {
        format!("<queue of {} items>", locked(&self.state).items.len())
    }
}
