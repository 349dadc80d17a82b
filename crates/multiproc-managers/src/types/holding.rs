//! What locks have in common: one holder, and those who wait for it.

use std::{pin::pin, sync::Mutex, time::Duration};

use multiproc_wire::pickle::Exception;
use tokio::sync::Notify;

use super::{locked, within};
use crate::{Args, Owner, args::duration, raise};

/// A lock that knows who holds it.
#[derive(Debug)]
pub(crate) struct Holding {
    holder: Mutex<Option<Holder>>,
    freed: Notify,
    reentrant: bool,
}

#[derive(Clone, Copy, Debug)]
struct Holder {
    owner: Owner,
    depth: usize,
}

impl Holding {
    pub(super) fn new(reentrant: bool) -> Self {
        Self { holder: Mutex::new(None), freed: Notify::new(), reentrant }
    }

    /// Takes the lock, `depth` times at once, if nobody else has it.
    pub(super) fn try_take(&self, owner: Owner, depth: usize) -> bool {
        let mut holder = locked(&self.holder);
        match &mut *holder {
            None => *holder = Some(Holder { owner, depth }),
            Some(held) if self.reentrant && held.owner == owner => held.depth += depth,
            Some(_) => return false,
        }
        true
    }

    /// Awaits the lock. Dropped before it is ready, the future has not taken it.
    pub(super) async fn take(&self, owner: Owner, depth: usize, limit: Option<Duration>) -> bool {
        let taken = async {
            loop {
                let mut freed = pin!(self.freed.notified());
                freed.as_mut().enable();
                if self.try_take(owner, depth) {
                    return;
                }
                freed.await;
            }
        };
        within(limit, taken).await.is_some()
    }

    /// Gives the lock back once.
    pub(super) fn give(&self, owner: Owner) -> Result<(), Exception> {
        let mut holder = locked(&self.holder);
        match &mut *holder {
            Some(held) if self.reentrant && held.owner != owner => {
                return Err(raise::runtime_error("cannot release un-acquired lock"));
            }
            Some(held) if 1 < held.depth => held.depth -= 1,
            Some(_) => {
                *holder = None;
                self.freed.notify_one();
            }
            None if self.reentrant => {
                return Err(raise::runtime_error("cannot release un-acquired lock"));
            }
            None => return Err(raise::runtime_error("release unlocked lock")),
        }
        Ok(())
    }

    /// Gives the lock back as often as it was taken, and returns how often that was.
    pub(super) fn give_all(&self) -> usize {
        let held = locked(&self.holder).take();
        self.freed.notify_one();
        held.map_or(1, |held| held.depth)
    }

    /// Returns whether this one may act as the holder: of a lock that is not reentrant, as in
    /// Python, anybody may while it is held.
    pub(super) fn is_held_by(&self, owner: Owner) -> bool {
        locked(&self.holder).is_some_and(|held| !self.reentrant || held.owner == owner)
    }

    pub(super) fn is_held(&self) -> bool {
        locked(&self.holder).is_some()
    }

    /// Frees the lock if this one holds it.
    pub(super) fn forget(&self, owner: Owner) {
        let mut holder = locked(&self.holder);
        if holder.is_some_and(|held| held.owner == owner) {
            *holder = None;
            self.freed.notify_one();
        }
    }
}

/// How long an `acquire` may wait: not at all, for so long, or for ever.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Patience {
    None,
    Limited(Duration),
    Endless,
}

impl Patience {
    /// Reads `blocking` and `timeout`, as locks take them.
    pub(super) fn of(args: &mut Args) -> Result<Self, Exception> {
        let blocking = args.flag("blocking", true)?;
        match (blocking, args.seconds("timeout")?) {
            (false, None | Some(-1.0)) => Ok(Self::None),
            (false, Some(_)) => {
                Err(raise::value_error("can't specify a timeout for a non-blocking call"))
            }
            (true, None | Some(-1.0)) => Ok(Self::Endless),
            (true, Some(seconds)) if seconds < 0.0 => {
                Err(raise::value_error("timeout value must be a non-negative number"))
            }
            (true, Some(seconds)) => Ok(Self::Limited(duration(seconds))),
        }
    }

    pub(super) fn limit(self) -> Option<Duration> {
        match self {
            Self::None => Some(Duration::ZERO),
            Self::Limited(limit) => Some(limit),
            Self::Endless => None,
        }
    }
}
