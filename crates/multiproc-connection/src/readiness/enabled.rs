//! Making attempts until one succeeds, in a tokio runtime.
//!
//! The descriptor stays as it is: others have it, and would find it non-blocking where we made it so.
//! What is tried is tried by calls that do not wait (`MSG_DONTWAIT`), and epoll tells when to try
//! again.
//!
//! **Invariant:** no wake-up is lost. The registration is edge-triggered, so readiness is forgotten
//! only after an attempt that would have waited, and only that readiness which was seen before the
//! attempt: whatever came in between has made it new.

use std::{
    io,
    sync::{Arc, Mutex},
};

use multiproc_image::after_fork::{ForkLocal, generation};
use multiproc_sys::readiness::{Registered, Side};
use multiproc_wire::Handle;
use tokio::task::coop::consume_budget;

/// What came of an attempt to do something without waiting.
pub(crate) enum Attempt<T> {
    /// It is done, well or not.
    Done(T),
    /// It is done, and there is nothing more to do before the descriptor is ready anew.
    Last(T),
    /// The other end has to do something first.
    Blocked,
    /// Somebody else of this process is at it.
    Busy,
}

/// How an end knows that it is readable.
///
/// The registration is made by the first call that has to wait and kept for the next ones, which
/// saves each of them two system calls. It is for reading only: on a Unix socket each message that
/// the other end takes makes this one writable anew, and would wake the runtime for nothing. Who
/// waits to write, which only those do who are faster than the other end, registers for himself.
#[derive(Default)]
pub(crate) struct Readiness {
    reading: Mutex<Option<Known>>,
}

/// The generation of this process; to ask for its id would be a system call.
static GENERATION: ForkLocal<u32> = ForkLocal::new(|_| generation());

/// A registration, and the generation of the process that made it.
struct Known {
    born: u32,
    registered: Arc<Registered>,
}

impl Readiness {
    /// Makes attempts until one is done. `freed` waits until nobody else is at it.
    pub(crate) async fn drive<T, F: Future<Output = ()>>(
        &self,
        handle: &Handle,
        side: Side,
        mut attempt: impl FnMut() -> Attempt<T>,
        mut freed: impl FnMut() -> F,
    ) -> io::Result<T> {
        // A task that always finds something to do must let the others have theirs. Before the
        // attempt: what it took would be lost if this were cancelled after it.
        consume_budget().await;
        let mut registered = self.known(side);
        loop {
            if let Some(registered) = &registered {
                let mut ready = registered.ready().await?;
                let busy = match attempt() {
                    Attempt::Done(done) => return Ok(done),
                    Attempt::Last(done) => {
                        // The end of a stream counts as readiness that lasts, so it is not forgotten.
                        ready.is_over();
                        return Ok(done);
                    }
                    Attempt::Blocked => {
                        ready.is_over();
                        false
                    }
                    Attempt::Busy => true,
                };
                drop(ready);
                if busy {
                    freed().await;
                }
                continue;
            }
            let busy = match attempt() {
                Attempt::Done(done) | Attempt::Last(done) => return Ok(done),
                Attempt::Blocked => false,
                Attempt::Busy => true,
            };
            if busy {
                freed().await;
            } else {
                registered = Some(self.register(handle, side)?);
            }
        }
    }

    /// The registration that is there already, if it is one of this runtime.
    fn known(&self, side: Side) -> Option<Arc<Registered>> {
        // Whoever finds this locked, perhaps for ever in a forked child, does without.
        let reading = self.reading.try_lock().ok().filter(|_| side == Side::Read)?;
        let known = reading.as_ref().filter(|known| known.born == *GENERATION.get())?;
        known.registered.is_of_this_runtime().then(|| known.registered.clone())
    }

    /// Registers with this runtime.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime, and in one without I/O.
    pub(crate) fn register(&self, handle: &Handle, side: Side) -> io::Result<Arc<Registered>> {
        if let Some(known) = self.known(side) {
            return Ok(known);
        }
        let registered = Arc::new(Registered::new(handle.share(), side)?);
        if side == Side::Read
            && let Ok(mut reading) = self.reading.try_lock()
        {
            // In one step, so that a forked child finds the old one or the new one.
            let known = Known { born: *GENERATION.get(), registered: registered.clone() };
            let old = reading.replace(known);
            drop(reading);
            drop(old);
        }
        Ok(registered)
    }
}
