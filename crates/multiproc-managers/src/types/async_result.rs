//! A shared result that is waited for when it is wanted.

use std::{fmt, sync::Arc};

use multiproc_wire::pickle::{Exception, Global, Object};
use tokio::sync::watch;

use super::within;
use crate::{Answer, Call, Outcome, Reply, Shared, raise};

/// What will come of a call that a pool in a manager's server makes.
///
/// # If a process dies
///
/// As for [`Pool`](super::Pool).
///
/// # Python
///
/// The `AsyncResult` of a manager: `multiprocessing.pool.AsyncResult`.
pub struct AsyncResult(watch::Receiver<Option<Result<Object, Exception>>>);

impl AsyncResult {
    /// Shares what a call comes to. It goes on whether or not anybody asks.
    pub(super) fn share(outcome: impl Future<Output = Outcome> + Send + 'static) -> Answer {
        let (tell, told) = watch::channel(None);
        tokio::spawn(async move {
            let result = outcome.await.and_then(|answer| match answer {
                Answer::Value(value) => Ok(value),
                _ => Err(raise::type_error("result is a shared object")),
            });
            // Nobody may be left to be told.
            let _ = tell.send(Some(result));
        });
        Answer::Shared { typeid: "AsyncResult".to_owned(), object: Arc::new(Self(told)) }
    }
}

impl Shared for AsyncResult {
    fn methods(&self) -> &'static [&'static str] {
        &["get", "ready", "successful", "wait"]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        let mut args = call.take_args();
        let limit = match call.method() {
            "get" | "wait" => args.timeout("timeout"),
            _ => Ok(None),
        };
        let limit = match (limit, args.finish()) {
            (Ok(limit), Ok(())) => limit,
            (Err(err), _) | (_, Err(err)) => return Reply::Done(Err(err)),
        };
        let is_get = match call.method() {
            "get" => true,
            "wait" => false,
            "ready" => return Reply::value(self.0.borrow().is_some()),
            "successful" => {
                return match &*self.0.borrow() {
                    Some(result) => Reply::value(result.is_ok()),
                    None => Reply::Done(Err(raise::value_error("result is not ready"))),
                };
            }
            _ => return Reply::unknown(&call),
        };
        let mut told = self.0.clone();
        Reply::later(async move {
            let done = within(limit, told.wait_for(Option::is_some)).await;
            let result = match done {
                Some(Ok(result)) => result.clone(),
                // The server is ending.
                Some(Err(_)) => Some(Err(raise::value_error("Pool not running"))),
                None => None,
            };
            match result {
                _ if !is_get => Ok(Object::None),
                Some(result) => result,
                None => Err(timeout()),
            }
        })
    }

    fn repr(&self) -> String {
        "<AsyncResult>".to_owned()
    }
}

impl fmt::Debug for AsyncResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncResult").field("ready", &self.0.borrow().is_some()).finish()
    }
}

/// Python's `multiprocessing.TimeoutError`.
pub(super) fn timeout() -> Exception {
    Exception::new(Global::new("multiprocessing.context", "TimeoutError"), [])
}
