//! A shared condition.

use std::{any::Any, sync::Arc};

use multiproc_wire::pickle::{Exception, Object};

use super::{Lock, RLock, holding::Holding, lock, waiters::Waiters, within};
use crate::{Call, Caller, Owner, Reply, Shared, raise, server::Entry};

/// A condition that lives in a manager's server: a lock, and those who wait to be told while they
/// have let go of it.
///
/// # If a process dies
///
/// Its lock is free again, as [`RLock`] and [`Lock`] say. One that waits is forgotten, and what it was
/// told before it had the lock again is told to the next one.
///
/// # Python
///
/// The `Condition` of a manager.
#[derive(Debug)]
pub struct Condition {
    lock: Arc<Holding>,
    waiters: Waiters,
    by_thread: bool,
    /// The shared object that the lock is, if it is not the condition's own.
    _lender: Option<Arc<Entry>>,
}

impl Condition {
    /// Makes a condition with a recursive lock of its own.
    #[must_use]
    pub fn new() -> Self {
        let lock = RLock::new().0;
        Self { lock, waiters: Waiters::default(), by_thread: true, _lender: None }
    }

    pub(crate) fn create(mut call: Call) -> Result<Arc<dyn Shared>, Exception> {
        let mut args = call.take_args();
        let lock = args.object("lock").unwrap_or_default();
        args.finish()?;
        if lock.is_none() {
            return Ok(Arc::new(Self::new()));
        }
        let fault = || raise::type_error("lock must be a proxy of a lock of this manager");
        let entry = call.entry(&lock).ok_or_else(fault)?;
        let shared: Arc<dyn Any + Send + Sync> = entry.shared().clone();
        let (lock, by_thread) = match shared.downcast::<RLock>() {
            Ok(lock) => (lock.0.clone(), true),
            Err(shared) => match shared.downcast::<Lock>() {
                Ok(lock) => (lock.0.clone(), false),
                Err(_) => return Err(fault()),
            },
        };
        let _lender = Some(entry);
        Ok(Arc::new(Self { lock, waiters: Waiters::default(), by_thread, _lender }))
    }

    fn owner(&self, caller: Caller) -> Owner {
        if self.by_thread { caller.thread } else { caller.process }
    }

    fn check(&self, owner: Owner, verb: &str) -> Result<(), Exception> {
        if self.lock.is_held_by(owner) {
            return Ok(());
        }
        Err(raise::runtime_error(format!("cannot {verb} on un-acquired lock")))
    }
}

impl Default for Condition {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared for Condition {
    fn methods(&self) -> &'static [&'static str] {
        &["acquire", "release", "locked", "wait", "notify", "notify_all"]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        let owner = self.owner(call.caller);
        let result = match call.method() {
            "wait" => match (call.take_args().timeout("timeout"), self.check(owner, "wait")) {
                (Err(err), _) | (_, Err(err)) => Err(err),
                (Ok(limit), Ok(())) => {
                    return Reply::later(async move {
                        let mut waiting = self.waiters.stand();
                        let depth = self.lock.give_all();
                        let told = within(limit, waiting.told()).await.is_some() || waiting.stop();
                        self.lock.take(owner, depth, None).await;
                        // Not before: one that is gone now can make nothing of what it was told.
                        waiting.settle();
                        Ok(told)
                    });
                }
            },
            "notify" => call.take_args().int("n", 1).and_then(|count| {
                self.check(owner, "notify")?;
                self.waiters.tell(usize::try_from(count).unwrap_or(0));
                Ok(Object::None)
            }),
            "notify_all" => self.check(owner, "notify").map(|()| {
                self.waiters.tell(usize::MAX);
                Object::None
            }),
            _ => return lock::answer(&self.lock, owner, &mut call),
        };
        result.into()
    }

    fn repr(&self) -> String {
        let held = if self.lock.is_held() { "locked" } else { "unlocked" };
        format!("<condition with {held} lock>")
    }

    fn has_holders(&self) -> bool {
        true
    }

    fn forget(&self, owner: Owner) {
        self.lock.forget(owner);
    }
}
