//! A shared lock.

use std::sync::Arc;

use multiproc_wire::pickle::{Exception, Object};

use super::holding::{Holding, Patience};
use crate::{Call, Owner, Reply, Shared, raise};

/// A lock that lives in a manager's server.
///
/// It is held by a process, any thread of which, and any other process, may release it.
///
/// # If a process dies
///
/// A lock is free again when the connections of the process that holds it have ended. Of a Python
/// client, which tells of threads only, that is the connection of the thread.
///
/// # Python
///
/// The `Lock` of a manager: `threading.Lock`.
#[derive(Debug)]
pub struct Lock(pub(super) Arc<Holding>);

impl Lock {
    /// Makes a lock that nobody holds.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Holding::new(false)))
    }

    pub(crate) fn create(mut call: Call) -> Result<Arc<dyn Shared>, Exception> {
        call.take_args().finish()?;
        Ok(Arc::new(Self::new()))
    }
}

impl Default for Lock {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared for Lock {
    fn methods(&self) -> &'static [&'static str] {
        &["acquire", "release", "locked"]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        answer(&self.0, call.caller.process, &mut call)
    }

    fn repr(&self) -> String {
        format!("<{} lock>", if self.0.is_held() { "locked" } else { "unlocked" })
    }

    fn has_holders(&self) -> bool {
        true
    }

    fn forget(&self, owner: Owner) {
        self.0.forget(owner);
    }
}

/// Answers a call of a method that all locks have.
pub(super) fn answer(holding: &Arc<Holding>, owner: Owner, call: &mut Call) -> Reply {
    let mut args = call.take_args();
    let result: Result<Object, Exception> = match call.method() {
        "acquire" => match Patience::of(&mut args) {
            Ok(_) if holding.try_take(owner, 1) => Ok(true.into()),
            Ok(Patience::None) => Ok(false.into()),
            Ok(patience) => {
                let holding = holding.clone();
                return Reply::later(
                    async move { Ok(holding.take(owner, 1, patience.limit()).await) },
                );
            }
            Err(err) => Err(err),
        },
        "release" => holding.give(owner).map(Object::from),
        "locked" => Ok(holding.is_held().into()),
        method => Err(raise::attribute_error(format!("lock has no method '{method}'"))),
    };
    result.into()
}
