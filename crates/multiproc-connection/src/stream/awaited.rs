//! Attempts on a stream that do not wait.

use std::os::fd::{AsFd, BorrowedFd};

use multiproc_sys::primitive::Ordering;
use multiproc_wire::Handle;

use super::Stream;
use crate::{
    RecvError, SendError, TryRecvError, TrySendError, awaited::Freed, bounds::Bounds,
    buffers::Buffers, patience::Patience, readiness::Attempt,
};

impl Stream {
    /// The descriptor, wherever it stands.
    pub(crate) fn registered_handle(&self) -> &Handle {
        &self.handle
    }

    /// Receives a message if that takes no waiting. What came of it is kept otherwise.
    pub(crate) fn attempt_recv(
        &self,
        buffers: &mut Buffers,
        bounds: Bounds,
    ) -> Attempt<Result<(), RecvError>> {
        let Some(mut incoming) = self.incoming.take(Patience::None) else { return Attempt::Busy };
        match self.recv_in_turn(&mut incoming, buffers, bounds, Patience::None) {
            Ok(()) => Attempt::Done(Ok(())),
            Err(TryRecvError::Empty) => Attempt::Blocked,
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
            Some(begun) => outgoing.go_on(self.as_fd(), begun),
            None => match outgoing.begin(self.as_fd(), bytes, fds) {
                Ok(None) => Ok(()),
                Ok(begun) => {
                    *number = begun;
                    Err(TrySendError::Full)
                }
                Err(err) => Err(err),
            },
        };
        self.unsent.store(u32::from(outgoing.has_rest()), Ordering::Release);
        match result {
            Ok(()) => Attempt::Done(Ok(())),
            Err(TrySendError::Full) => Attempt::Blocked,
            Err(TrySendError::Send(err)) => Attempt::Done(Err(err)),
        }
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
