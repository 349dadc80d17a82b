//! What all handles to one queue share in one process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
};

use multiproc_image::after_fork::ForkLocal;
use multiproc_sys::primitive::{AtomicBool, AtomicUsize};

use crate::ring::Ring;

/// Items longer than this travel as a file: the ring would keep four times as much memory for the next one.
pub(crate) const FILE_FROM: usize = 8 << 20;

/// The ring as this process has it mapped, and what waits to be put into it.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) ring: Ring,
    /// How many items wait in this process until the ring has room. The child of a fork inherits the number and not the
    /// items, so what is not 0 has to be looked into.
    pub(crate) backlog: AtomicUsize,
    /// True if nobody wants to wait for the backlog at the exit of this process.
    pub(crate) is_cancelled: AtomicBool,
}

/// The queues of this process, so that one that arrives twice is mapped once.
type Known = Mutex<HashMap<(u64, u64), Weak<Core>>>;

static KNOWN: ForkLocal<Known> = ForkLocal::new(|_| Mutex::new(HashMap::new()));

impl Core {
    pub(crate) fn of(ring: Ring) -> Arc<Self> {
        let mut known = KNOWN.get().lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let identity = ring.identity();
        if let Some(core) = known.get(&identity).and_then(Weak::upgrade) {
            return core;
        }
        let core = Arc::new(Self {
            ring,
            backlog: AtomicUsize::new(0),
            is_cancelled: AtomicBool::new(false),
        });
        known.retain(|_, core| core.strong_count() > 0);
        known.insert(identity, Arc::downgrade(&core));
        core
    }

    /// The longest item that is put into the ring itself, in bytes.
    #[inline]
    pub(crate) fn longest(&self) -> usize {
        // The number of a packet may go in front.
        FILE_FROM.min(self.ring.longest() - size_of::<u64>())
    }
}
