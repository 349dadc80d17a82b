//! How a lock was acquired.

use crate::protocol::lock::Taken;

/// How a lock was acquired: in order, or from a process that died with it.
///
/// # If a process dies
///
/// The next one that acquires a lock which the dead one held gets [`OwnerDied`](Self::OwnerDied), exactly one does.
///
/// # Python
///
/// `True`. Where the holder was killed, Python waits for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// The holder before had given it back, or there was none.
    Orderly,
    /// The holder before was killed, ended or executed another program while it held the lock. The lock is held now as any
    /// other; what it guards may be half changed.
    OwnerDied,
}

impl Acquired {
    /// Returns true if the holder before died with the lock.
    #[must_use]
    pub fn owner_died(self) -> bool {
        self == Self::OwnerDied
    }
}

impl From<Taken> for Acquired {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Free => Self::Orderly,
            Taken::FromDead => Self::OwnerDied,
        }
    }
}
