//! In a worker: the calls of an order, and the answers that are not sent yet.

use std::{any::Any, collections::VecDeque, os::fd::OwnedFd};

use multiproc_wire::decode_items;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    claims::{Claims, now},
    mailbox::Mailbox,
};
use crate::{
    PlainData, TaskError,
    sequence::{INLINE, Items, Pushed, Sequence},
    unpack::plain_value,
};

/// Answers are sent at least this often, in nanoseconds, as long as there are any.
const SOON: u64 = 10_000_000;
/// The clock is looked at after at most so many calls; after more where they take less than a microsecond.
const CALLS: u32 = 16;
const FAST_CALLS: u32 = 64;

/// So many bytes of answers are sent at once.
const PORTION: usize = INLINE / 4;

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
    Items(Items<'a>),
    /// The only one, which came by itself.
    Alone(&'a [u8], Vec<OwnedFd>),
    /// Descriptors belong to all of them together, so all are read at once: a `VecDeque<Result<Args, DecodeError>>`.
    Shared(Items<'a>, Vec<OwnedFd>),
    Read(Box<dyn Any>),
    None,
}

impl<'a> Desk<'a> {
    /// A desk with calls on it; `is_alone` if the bytes are those of one that came by itself.
    pub(super) fn new(
        claims: Claims<'a>,
        bytes: &'a [u8],
        is_alone: bool,
        fds: Vec<OwnedFd>,
        outbox: &'a mut Outbox,
    ) -> Self {
        let calls = match (is_alone, fds.is_empty()) {
            (true, _) => Calls::Alone(bytes, fds),
            (_, true) => Calls::Items(Items(bytes)),
            (_, false) => Calls::Shared(Items(bytes), fds),
        };
        Self { claims, calls, outbox, is_at_call: false }
    }

    /// Begins the next call and returns its arguments; none if there is none, or they were taken back.
    #[inline]
    pub(crate) fn next<Args: DeserializeOwned + 'static>(
        &mut self,
    ) -> Option<Result<Args, TaskError>> {
        if self.outbox.mailbox.is_gone || !self.claims.claim() {
            return None;
        }
        self.is_at_call = true;
        if let Calls::Items(calls) = &mut self.calls {
            let Some(item) = calls.next() else { return Some(Err(too_few())) };
            let args = multiproc_wire::decode_plain(item.bytes);
            return Some(args.map_err(|err| TaskError::decode(&err)));
        }
        Some(self.next_of_others())
    }

    /// As [`next`](Self::next), for a value that is its own bytes.
    #[inline]
    pub(crate) fn next_plain<T: PlainData>(&mut self) -> Option<Result<T, TaskError>> {
        if self.outbox.mailbox.is_gone || !self.claims.claim() {
            return None;
        }
        self.is_at_call = true;
        let bytes = match &mut self.calls {
            Calls::Items(calls) => calls.next().map(|item| item.bytes),
            Calls::Alone(bytes, _) => Some(*bytes),
            _ => None,
        };
        Some(bytes.map_or_else(|| Err(too_few()), plain_value))
    }

    #[cold]
    fn next_of_others<Args: DeserializeOwned + 'static>(&mut self) -> Result<Args, TaskError> {
        match std::mem::replace(&mut self.calls, Calls::None) {
            Calls::Alone(bytes, fds) => {
                return multiproc_wire::decode(bytes, fds).map_err(|err| TaskError::decode(&err));
            }
            Calls::Shared(items, fds) => {
                let mut read = VecDeque::new();
                decode_items::<Args>(items.map(|item| item.bytes), fds, |args| {
                    read.push_back(args.map_err(|err| TaskError::decode(&err)));
                });
                self.calls = Calls::Read(Box::new(read));
            }
            others => self.calls = others,
        }
        let Calls::Read(read) = &mut self.calls else { return Err(too_few()) };
        let read = read.downcast_mut::<VecDeque<Result<Args, TaskError>>>();
        read.and_then(VecDeque::pop_front).unwrap_or_else(|| Err(too_few()))
    }

    /// Answers the call with what it has returned.
    #[inline]
    pub(crate) fn answer<T: Serialize>(&mut self, value: &T) {
        let pushed = self.outbox.answers.push(value).unwrap_or_else(|err| {
            let why = crate::error::describe(&err);
            self.outbox.answers.push_failure(&TaskError::Result(why))
        });
        self.is_at_call = false;
        self.outbox.add(pushed);
    }

    /// Answers the call with a value that is these bytes.
    #[inline]
    pub(crate) fn answer_plain(&mut self, value: &[u8]) {
        let pushed = self.outbox.answers.push_plain(value);
        self.is_at_call = false;
        self.outbox.add(pushed);
    }

    /// Answers the call with an error.
    pub(crate) fn fail(&mut self, err: &TaskError) {
        if self.is_at_call {
            let pushed = self.outbox.answers.push_failure(err);
            self.is_at_call = false;
            self.outbox.add(pushed);
        }
    }

    /// Answers all calls that can be begun with an error.
    pub(super) fn fail_all(&mut self, err: &TaskError) {
        while !self.outbox.mailbox.is_gone && self.claims.claim() {
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
///
/// An answer may wait for others only as long as they belong to the same chunk: a call may be one that waits for what
/// the pool's user does with the answers to those before it.
pub(super) struct Outbox {
    pub(super) mailbox: Mailbox,
    answers: Sequence,
    /// True if each is to be sent as it comes.
    is_hasty: bool,
    /// How many calls a chunk has, and how many of this one are still to be answered.
    chunk: usize,
    left: usize,
    sent: u64,
    looked: u64,
    /// How many calls there are from one look at the clock to the next, and until the next.
    pace: u32,
    until: u32,
}

impl Outbox {
    pub(super) fn new(mailbox: Mailbox, is_hasty: bool) -> Self {
        Self {
            mailbox,
            answers: Sequence::default(),
            is_hasty,
            chunk: 1,
            left: 1,
            sent: 0,
            looked: 0,
            pace: 1,
            until: 1,
        }
    }

    /// Begins with calls of chunks of this size, of the first of which so many were answered before.
    pub(super) fn begin(&mut self, (size, phase): (usize, usize), now: u64) {
        self.chunk = if self.is_hasty { 1 } else { size.max(1) };
        self.left = self.chunk - phase % self.chunk;
        (self.sent, self.looked) = (now, now);
    }

    #[inline]
    fn add(&mut self, pushed: Pushed) {
        if let Pushed::Large(large) = pushed {
            self.send();
            self.mailbox.give_large(large);
        }
        self.left -= 1;
        self.until -= 1;
        if self.left == 0 || self.until == 0 || self.answers.bytes.len() > PORTION {
            self.send_what_is_due();
        }
    }

    #[inline(never)]
    fn send_what_is_due(&mut self) {
        if self.left == 0 {
            self.left = self.chunk;
            // Who sends each as it comes need not look at the clock.
            self.until += 1;
            return self.send();
        }
        if self.until == 0 {
            let now = now();
            // As long as calls are fast the clock is not looked at after each.
            let each = (now - self.looked) / u64::from(self.pace);
            let most = if each < 1_000 { FAST_CALLS } else { CALLS };
            self.pace = if each < 20_000 { most.min(self.pace * 2) } else { 1 };
            self.until = self.pace;
            self.looked = now;
            if now - self.sent > SOON {
                self.sent = now;
                return self.send();
            }
        }
        if self.answers.bytes.len() > PORTION {
            self.send();
        }
    }

    #[inline]
    fn send(&mut self) {
        if !self.answers.is_empty() {
            self.mailbox.give(&mut self.answers);
        }
    }
}
