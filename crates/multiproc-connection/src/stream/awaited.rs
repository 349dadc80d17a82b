//! Attempts on a stream that do not wait.

use std::os::fd::BorrowedFd;

use multiproc_sys::primitive::Ordering;
use multiproc_wire::Handle;

use super::{AHEAD, Stream, incoming::Incoming};
use crate::{
    RecvError, SendError, TryRecvError, TrySendError,
    awaited::{Attending, Freed},
    bounds::Bounds,
    buffers::Buffers,
    patience::Patience,
    readiness::Attempt,
};

/// A task that awaits a message, and takes what comes of it bit by bit.
pub(crate) struct Awaiting<'a> {
    _attending: Attending<'a, Incoming>,
}

impl Stream {
    /// The descriptor, wherever it stands.
    pub(crate) fn registered_handle(&self) -> &Handle {
        &self.handle
    }

    /// Receives a message if that takes no waiting. What came of it is kept otherwise.
    ///
    /// From then on it is for the task that is `awaiting`, and so stays out of a forked child.
    pub(crate) fn attempt_recv<'a>(
        &'a self,
        awaiting: &mut Option<Awaiting<'a>>,
        buffers: &mut Buffers,
        bounds: Bounds,
    ) -> Attempt<Result<(), RecvError>> {
        let Some(mut incoming) = self.incoming.take(Patience::None) else { return Attempt::Busy };
        match self.recv_in_turn(&mut incoming, buffers, bounds, Patience::None) {
            Ok(()) if incoming.is_drained() => Attempt::Last(Ok(())),
            Ok(()) => Attempt::Done(Ok(())),
            Err(TryRecvError::Empty) => {
                // While we have the turn: whoever is forked sees one or the other.
                awaiting
                    .get_or_insert_with(|| Awaiting { _attending: Attending::new(&self.incoming) });
                Attempt::Blocked
            }
            Err(TryRecvError::Recv(err)) => Attempt::Done(Err(err)),
        }
    }

    /// Sends as much of a message as takes no waiting.
    ///
    /// Once it has begun `number` is that of its rest, which is kept here and goes out first,
    /// whoever sends it: so nobody who sends waits for a task that is perhaps never polled again.
    pub(crate) fn attempt_send(
        &self,
        number: &mut Option<u64>,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> Attempt<Result<(), SendError>> {
        let Some(mut outgoing) = self.outgoing.take(Patience::None) else { return Attempt::Busy };
        let result = match *number {
            Some(begun) => outgoing.go_on(self.wire(), begun),
            None => match outgoing.begin(self.wire(), bytes, fds) {
                Ok(None) => Ok(()),
                Ok(begun) => {
                    *number = begun;
                    Err(TrySendError::Full)
                }
                Err(err) => Err(err),
            },
        };
        match result {
            Ok(()) => Attempt::Done(Ok(())),
            Err(TrySendError::Full) => Attempt::Blocked,
            Err(TrySendError::Send(err)) => Attempt::Done(Err(err)),
        }
    }

    /// Returns true if what came behind the last message is here, of which no event tells.
    pub(crate) fn is_ahead(&self) -> bool {
        self.receiving.load(Ordering::Acquire) == AHEAD
    }

    /// Waits until nobody receives.
    pub(crate) fn recv_freed(&self) -> impl Future<Output = ()> + Send {
        Freed::new(&self.incoming)
    }

    /// Waits until nobody sends.
    pub(crate) fn send_freed(&self) -> impl Future<Output = ()> + Send {
        Freed::new(&self.outgoing)
    }
}
