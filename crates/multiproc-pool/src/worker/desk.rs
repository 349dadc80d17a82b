//! In a worker: the calls of an order, and the answers that are not sent yet.

use std::{
    any::Any,
    collections::VecDeque,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use multiproc_sys::packet;
use multiproc_wire::decode_items;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    claims::{Claims, now},
    frame::{self, Packet},
};
use crate::{
    TaskError,
    sequence::{Block, Body, INLINE, Sequence, Slices, slices},
};

/// Answers are sent at least this often, in nanoseconds, as long as there are any.
const SOON: u64 = 10_000_000;
/// The clock is looked at after at most so many calls.
const CALLS: u32 = 16;

/// What a worker has before it.
pub(crate) struct Desk<'a> {
    claims: Claims<'a>,
    calls: Calls<'a>,
    outbox: &'a mut Outbox,
    /// True while a call is begun and not answered.
    is_at_call: bool,
}

/// The arguments that were not taken yet.
enum Calls<'a> {
    Bytes(Slices<'a>),
    /// Descriptors belong to all of them together, so all are read at once: a `VecDeque<Result<Args, DecodeError>>`.
    Shared {
        lens: &'a [u8],
        bytes: &'a [u8],
        fds: Vec<OwnedFd>,
    },
    Read(Box<dyn Any>),
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        claims: Claims<'a>,
        lens: &'a [u8],
        bytes: &'a [u8],
        fds: Vec<OwnedFd>,
        outbox: &'a mut Outbox,
    ) -> Self {
        let calls = if fds.is_empty() {
            Calls::Bytes(slices(lens, bytes))
        } else {
            Calls::Shared { lens, bytes, fds }
        };
        outbox.begin(claims.seq());
        Self { claims, calls, outbox, is_at_call: false }
    }

    /// Begins the next call and returns its arguments; none if there is none, or they were taken back.
    #[inline]
    pub(crate) fn next<Args: DeserializeOwned + 'static>(
        &mut self,
    ) -> Option<Result<Args, TaskError>> {
        if self.outbox.is_gone || !self.claims.claim() {
            return None;
        }
        self.is_at_call = true;
        if let Calls::Bytes(calls) = &mut self.calls {
            let Some((_, bytes)) = calls.next() else { return Some(Err(too_few())) };
            let args = multiproc_wire::decode_plain(bytes);
            return Some(args.map_err(|err| TaskError::decode(&err)));
        }
        Some(self.next_with_handles())
    }

    #[cold]
    fn next_with_handles<Args: DeserializeOwned + 'static>(&mut self) -> Result<Args, TaskError> {
        if let Calls::Shared { lens, bytes, fds } = &mut self.calls {
            let mut read = VecDeque::new();
            let items = slices(lens, bytes).map(|(_, bytes)| bytes);
            decode_items::<Args>(items, std::mem::take(fds), |args| {
                read.push_back(args.map_err(|err| TaskError::decode(&err)));
            });
            self.calls = Calls::Read(Box::new(read));
        }
        let Calls::Read(read) = &mut self.calls else { return Err(too_few()) };
        let read = read.downcast_mut::<VecDeque<Result<Args, TaskError>>>();
        read.and_then(VecDeque::pop_front).unwrap_or_else(|| Err(too_few()))
    }

    /// Answers the call with what it has returned.
    #[inline]
    pub(crate) fn answer<T: Serialize>(&mut self, value: &T) {
        if let Err(err) = self.outbox.answers.push(value) {
            let why = crate::error::describe(&err);
            self.outbox.answers.push_failure(&TaskError::Result(why));
        }
        self.is_at_call = false;
        self.outbox.send_if_due();
    }

    /// Answers the call with an error.
    pub(crate) fn fail(&mut self, err: &TaskError) {
        if self.is_at_call {
            self.outbox.answers.push_failure(err);
            self.is_at_call = false;
            self.outbox.send_if_due();
        }
    }

    /// Answers all calls that can be begun with an error.
    pub(super) fn fail_all(&mut self, err: &TaskError) {
        while !self.outbox.is_gone && self.claims.claim() {
            self.is_at_call = true;
            self.fail(err);
        }
    }
}

impl Drop for Desk<'_> {
    fn drop(&mut self) {
        self.outbox.send();
    }
}

fn too_few() -> TaskError {
    TaskError::Decode("fewer calls came than were announced".into())
}

/// Answers on their way to the pool.
pub(super) struct Outbox {
    link: Arc<OwnedFd>,
    answers: Sequence,
    /// The number of the call that the first of them answers.
    first: u64,
    /// True if each is to be sent as it comes.
    is_hasty: bool,
    sent: u64,
    looked: u64,
    /// How many calls there are from one look at the clock to the next, and until the next.
    pace: u32,
    until: u32,
    /// True when nobody is there to be answered.
    pub(super) is_gone: bool,
}

impl Outbox {
    pub(super) fn new(link: Arc<OwnedFd>, is_hasty: bool) -> Self {
        let answers = Sequence::default();
        Self {
            link,
            answers,
            first: 0,
            is_hasty,
            sent: 0,
            looked: 0,
            pace: 1,
            until: 1,
            is_gone: false,
        }
    }

    fn begin(&mut self, seq: u64) {
        self.first = seq;
        self.sent = now();
        self.looked = self.sent;
    }

    #[inline]
    fn send_if_due(&mut self) {
        self.until -= 1;
        if self.until == 0 {
            let now = now();
            // As long as calls are fast the clock is not looked at after each.
            let is_fast = now - self.looked < 20_000 * u64::from(self.pace);
            self.pace = if is_fast { CALLS.min(self.pace * 2) } else { 1 };
            self.until = self.pace;
            self.looked = now;
            if now - self.sent > SOON {
                return self.send();
            }
        }
        if self.is_hasty || self.answers.bytes.len() > INLINE {
            self.send();
        }
    }

    fn send(&mut self) {
        if self.answers.is_empty() {
            return;
        }
        let Sequence { bytes, lens, handles, count } = self.answers.take();
        let first = self.first;
        self.first += count as u64;
        self.sent = now();
        let sent = Body::new(bytes)
            .map_err(|err| TaskError::Result(err.to_string()))
            .and_then(|body| self.transmit(first, count, &Block { body, lens, handles }));
        if let Err(err) = sent {
            // Too large, or too many descriptors; that much can be said.
            let mut failures = Sequence::default();
            (0..count).for_each(|_| failures.push_failure(&err));
            let Sequence { bytes, lens, handles, .. } = failures;
            let block = Block { body: Body::Memory(bytes), lens, handles };
            self.is_gone |= self.transmit(first, count, &block).is_err();
        }
    }

    fn transmit(&mut self, first: u64, count: usize, block: &Block) -> Result<(), TaskError> {
        let packet = frame::results(first, count, block, Packet::default())?;
        match packet::send(self.link.as_fd(), &packet.bytes, &packet.fds) {
            Ok(()) => Ok(()),
            Err(err) if is_closed(&err) => {
                self.is_gone = true;
                Ok(())
            }
            Err(err) => Err(TaskError::Result(err.to_string())),
        }
    }
}

/// True if the other end of a link is gone.
pub(super) fn is_closed(err: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    matches!(err.kind(), BrokenPipe | ConnectionReset | NotConnected)
}
