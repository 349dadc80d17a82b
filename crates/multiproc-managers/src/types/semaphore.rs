//! A shared semaphore.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
};

use multiproc_wire::pickle::{Exception, Object};
use tokio::sync::Notify;

use super::{holding::Patience, locked, within};
use crate::{Call, Reply, Shared, raise};

/// A counter that lives in a manager's server, and that clients wait on.
///
/// # If a process dies
///
/// The units that it has taken stay taken: they belong to nobody, and another process may give them
/// back. One that waits is forgotten.
///
/// # Python
///
/// The `Semaphore` and `BoundedSemaphore` of a manager.
#[derive(Debug)]
pub struct Semaphore {
    value: Mutex<u64>,
    freed: Notify,
    /// What the counter may not exceed.
    bound: Option<u64>,
}

impl Semaphore {
    /// Makes a semaphore with so many units.
    #[must_use]
    pub fn new(value: u64) -> Self {
        Self { value: Mutex::new(value), freed: Notify::new(), bound: None }
    }

    /// Makes a semaphore that never has more units than at first.
    #[must_use]
    pub fn bounded(value: u64) -> Self {
        Self { bound: Some(value), ..Self::new(value) }
    }

    pub(crate) fn create(call: Call) -> Result<Arc<dyn Shared>, Exception> {
        Ok(Arc::new(Self::new(initial(call)?)))
    }

    pub(crate) fn create_bounded(call: Call) -> Result<Arc<dyn Shared>, Exception> {
        Ok(Arc::new(Self::bounded(initial(call)?)))
    }

    fn try_take(&self) -> bool {
        let mut value = locked(&self.value);
        let left = value.checked_sub(1);
        *value = left.unwrap_or(0);
        left.is_some()
    }

    async fn take(&self) {
        loop {
            let mut freed = pin!(self.freed.notified());
            freed.as_mut().enable();
            if self.try_take() {
                return;
            }
            freed.await;
        }
    }

    fn give(&self, count: i64) -> Result<Object, Exception> {
        let count = u64::try_from(count).ok().filter(|count| 0 < *count);
        let count = count.ok_or_else(|| raise::value_error("n must be one or more"))?;
        let mut value = locked(&self.value);
        let more = value.checked_add(count);
        let more = more.filter(|more| self.bound.is_none_or(|bound| *more <= bound));
        *value = more.ok_or_else(|| raise::value_error("Semaphore released too many times"))?;
        // No more than can be waiting for as many units.
        (0..count.min(1 << 16)).for_each(|_| self.freed.notify_one());
        Ok(Object::None)
    }
}

fn initial(mut call: Call) -> Result<u64, Exception> {
    let mut args = call.take_args();
    let value = args.int("value", 1)?;
    args.finish()?;
    u64::try_from(value).map_err(|_| raise::value_error("semaphore initial value must be >= 0"))
}

impl Shared for Semaphore {
    fn methods(&self) -> &'static [&'static str] {
        &["acquire", "release", "get_value", "locked"]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        let mut args = call.take_args();
        let result = match call.method() {
            "acquire" => match Patience::of(&mut args) {
                Ok(_) if self.try_take() => Ok(true.into()),
                Ok(Patience::None) => Ok(false.into()),
                Ok(patience) => {
                    return Reply::later(async move {
                        Ok(within(patience.limit(), self.take()).await.is_some())
                    });
                }
                Err(err) => Err(err),
            },
            "release" => args.int("n", 1).and_then(|count| self.give(count)),
            "get_value" => Ok((*locked(&self.value)).into()),
            "locked" => Ok((*locked(&self.value) == 0).into()),
            _ => return Reply::unknown(&call),
        };
        result.into()
    }

    fn repr(&self) -> String {
        format!("<semaphore value={}>", locked(&self.value))
    }
}
