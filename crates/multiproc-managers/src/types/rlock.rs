//! A shared recursive lock.

use std::sync::Arc;

use multiproc_wire::pickle::Exception;

use super::{holding::Holding, lock::answer};
use crate::{Call, Owner, Reply, Shared};

/// A recursive lock that lives in a manager's server.
///
/// It is held by a thread, which may take it again and has to release it as often.
///
/// # If a process dies
///
/// A lock is free again when the connection of the thread that holds it has ended.
///
/// # Python
///
/// The `RLock` of a manager: `threading.RLock`.
#[derive(Debug)]
pub struct RLock(pub(super) Arc<Holding>);

impl RLock {
    /// Makes a recursive lock that nobody holds.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Holding::new(true)))
    }

    pub(crate) fn create(mut call: Call) -> Result<Arc<dyn Shared>, Exception> {
        call.take_args().finish()?;
        Ok(Arc::new(Self::new()))
    }
}

impl Default for RLock {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared for RLock {
    fn methods(&self) -> &'static [&'static str] {
        &["acquire", "release", "locked"]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        answer(&self.0, call.caller.thread, &mut call)
    }

    fn repr(&self) -> String {
        format!("<{} recursive lock>", if self.0.is_held() { "locked" } else { "unlocked" })
    }

    fn has_holders(&self) -> bool {
        true
    }

    fn forget(&self, owner: Owner) {
        self.0.forget(owner);
    }
}
