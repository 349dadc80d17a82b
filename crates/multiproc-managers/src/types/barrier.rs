//! A shared barrier.

use std::{
    pin::pin,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use multiproc_wire::pickle::{Exception, Global, Object};
use tokio::sync::Notify;

use super::{locked, within};
use crate::{Call, Reply, Shared, raise};

/// A barrier that lives in a manager's server.
///
/// # If a process dies
///
/// When it was waiting, the barrier is broken for the others, who would wait for ever.
///
/// # Python
///
/// The `Barrier` of a manager; an action cannot be sent to a server.
#[derive(Debug)]
pub struct Barrier {
    parties: usize,
    timeout: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    waiting: usize,
    broken: bool,
    round: Arc<Round>,
}

/// Those who pass together, or not.
#[derive(Debug, Default)]
struct Round {
    passed: OnceLock<bool>,
    over: Notify,
}

impl Round {
    fn end(&self, passed: bool) {
        let _ = self.passed.set(passed);
        self.over.notify_waiters();
    }
}

impl Barrier {
    /// Makes a barrier for so many, with a limit on how long one waits for the others.
    #[must_use]
    pub fn new(parties: usize, timeout: Option<Duration>) -> Self {
        let state = State { waiting: 0, broken: false, round: Arc::default() };
        Self { parties, timeout, state: Mutex::new(state) }
    }

    pub(crate) fn create(mut call: Call) -> Result<Arc<dyn Shared>, Exception> {
        let mut args = call.take_args();
        let parties = args.take::<i64>("parties")?;
        if !args.object("action").unwrap_or_default().is_none() {
            return Err(raise::type_error("a barrier's action cannot run in this server"));
        }
        let timeout = args.timeout("timeout")?;
        args.finish()?;
        let parties = usize::try_from(parties).ok().filter(|parties| 0 < *parties);
        let parties = parties.ok_or_else(|| raise::value_error("parties must be > 0"))?;
        Ok(Arc::new(Self::new(parties, timeout)))
    }

    /// Breaks the round that is under way, and begins another.
    fn shatter(state: &mut State, broken: bool) {
        state.broken = broken;
        state.waiting = 0;
        std::mem::take(&mut state.round).end(false);
    }

    fn enter(self: Arc<Self>, limit: Option<Duration>) -> Reply {
        let mut state = locked(&self.state);
        if state.broken {
            return Reply::Done(Err(broken()));
        }
        let index = state.waiting;
        state.waiting += 1;
        if state.waiting == self.parties {
            state.waiting = 0;
            std::mem::take(&mut state.round).end(true);
            return Reply::value(index);
        }
        let within_it = Within { barrier: self.clone(), round: state.round.clone() };
        Reply::later(async move {
            let round = within_it.round.clone();
            let mut over = pin!(round.over.notified());
            over.as_mut().enable();
            if round.passed.get().is_none() {
                within(limit, over).await;
            }
            // Late, the round is broken for all of it.
            drop(within_it);
            if round.passed.get() == Some(&true) { Ok(index) } else { Err(broken()) }
        })
    }
}

/// One who waits: gone before the round is over, it breaks the barrier.
struct Within {
    barrier: Arc<Barrier>,
    round: Arc<Round>,
}

impl Drop for Within {
    fn drop(&mut self) {
        let mut state = locked(&self.barrier.state);
        if self.round.passed.get().is_none() {
            Barrier::shatter(&mut state, true);
        }
    }
}

fn broken() -> Exception {
    Exception::new(Global::new("threading", "BrokenBarrierError"), [])
}

impl Shared for Barrier {
    fn methods(&self) -> &'static [&'static str] {
        &["__getattribute__", "wait", "abort", "reset"]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        match call.method() {
            "wait" => match call.take_args().timeout("timeout") {
                Ok(limit) => {
                    let limit = limit.or(self.timeout);
                    self.enter(limit)
                }
                Err(err) => Reply::Done(Err(err)),
            },
            "abort" => {
                Self::shatter(&mut locked(&self.state), true);
                Reply::value(Object::None)
            }
            "reset" => {
                Self::shatter(&mut locked(&self.state), false);
                Reply::value(Object::None)
            }
            "__getattribute__" => {
                let name = call.take_args().take::<String>("name");
                let state = locked(&self.state);
                match name.as_deref() {
                    Ok("parties") => Reply::value(self.parties),
                    Ok("n_waiting") => Reply::value(state.waiting),
                    Ok("broken") => Reply::value(state.broken),
                    Ok(name) => Reply::Done(Err(raise::attribute_error(format!(
                        "'Barrier' object has no attribute '{name}'"
                    )))),
                    Err(err) => Reply::Done(Err(err.clone())),
                }
            }
            _ => Reply::unknown(&call),
        }
    }

    fn repr(&self) -> String {
        let state = locked(&self.state);
        match state.broken {
            true => "<barrier: broken>".to_owned(),
            false => format!("<barrier waiters={}/{}>", state.waiting, self.parties),
        }
    }
}
