//! A shared event.

use std::{pin::pin, sync::Arc};

use multiproc_sys::primitive::{AtomicBool, Ordering};
use multiproc_wire::pickle::{Exception, Object};
use tokio::sync::Notify;

use super::within;
use crate::{Call, Reply, Shared};

/// A flag that lives in a manager's server, and that clients wait for.
///
/// # Python
///
/// The `Event` of a manager.
#[derive(Debug, Default)]
pub struct Event {
    is_set: AtomicBool,
    set: Notify,
}

impl Event {
    /// Makes an event that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn create(mut call: Call) -> Result<Arc<dyn Shared>, Exception> {
        call.take_args().finish()?;
        Ok(Arc::new(Self::new()))
    }

    fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Acquire)
    }
}

impl Shared for Event {
    fn methods(&self) -> &'static [&'static str] {
        &["is_set", "set", "clear", "wait"]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        match call.method() {
            "is_set" => Reply::value(self.is_set()),
            "set" => {
                self.is_set.store(true, Ordering::Release);
                self.set.notify_waiters();
                Reply::value(Object::None)
            }
            "clear" => {
                self.is_set.store(false, Ordering::Release);
                Reply::value(Object::None)
            }
            "wait" => match call.take_args().timeout("timeout") {
                Ok(_) if self.is_set() => Reply::value(true),
                Ok(limit) => Reply::later(async move {
                    let mut set = pin!(self.set.notified());
                    set.as_mut().enable();
                    // As in Python: who is told returns true, also if it is cleared meanwhile.
                    Ok(self.is_set() || within(limit, set).await.is_some() || self.is_set())
                }),
                Err(err) => Reply::Done(Err(err)),
            },
            _ => Reply::unknown(&call),
        }
    }

    fn repr(&self) -> String {
        format!("<event: {}>", if self.is_set() { "set" } else { "unset" })
    }
}
