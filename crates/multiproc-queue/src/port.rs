//! A handle to a queue: the ring, and the ends by which others know that somebody is left.
//!
//! | who | holds | and so knows |
//! |---|---|---|
//! | [`Sender`](crate::Sender) | the sending end of the socket, the block of those who put | that nobody can take: its socket has hung up |
//! | [`Receiver`](crate::Receiver) | the receiving end, the block of those who take | that nobody can put: the same |
//! | [`Queue`](crate::Queue) and its kin | all four | that nobody else holds a block |
//!
//! All of these are kept by the kernel: a process that is killed, and a message that is thrown away, hold nothing.

use std::{
    alloc::Layout,
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

use multiproc_image::threads;
use multiproc_shm::Block;
use multiproc_sys::{
    memfd, packet,
    primitive::{AtomicBool, AtomicU64, Ordering::Relaxed},
};
use multiproc_wire::Handle;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::{
    CodecError, QueueError,
    codec::Landing,
    core::{Core, FILE_FROM},
    feeder::{self, Parcel},
    ring::{Inbox, Patience, Record, Refused, Ring, Run, Taken, Waiting},
};

/// One side of a queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct End {
    socket: Handle,
    block: Block,
}

/// What a handle holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Ends {
    put: Option<End>,
    get: Option<End>,
}

/// A handle to a queue of whatever items.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) core: Arc<Core>,
    ends: Ends,
    is_closed: AtomicBool,
}

/// Why nothing was put or taken.
#[derive(Debug)]
pub(crate) enum Failed {
    Closed,
    TimedOut,
    Abandoned,
    Unfinished,
    Encode(CodecError),
    Refused(Refused),
}

impl From<Refused> for Failed {
    fn from(reason: Refused) -> Self {
        match reason {
            Refused::TimedOut => Self::TimedOut,
            other => Self::Refused(other),
        }
    }
}

/// What is done with an item for which there is no room.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Overflow {
    /// The caller waits, as long as its patience lasts.
    Wait(Patience),
    /// The same in a bounded queue; in another, a thread of this process puts it when there is room.
    Usual(Patience),
}

impl Port {
    pub(crate) fn new(bound: usize) -> Result<Self, QueueError> {
        Ring::new(bound).map_err(QueueError::Memory).and_then(Self::with)
    }

    /// Of a queue whose items are marked as done.
    pub(crate) fn counted(bound: usize) -> Result<Self, QueueError> {
        Ring::new(bound).map_err(QueueError::Memory).map(Ring::counted).and_then(Self::with)
    }

    fn with(ring: Ring) -> Result<Self, QueueError> {
        let (sender, receiver) =
            packet::pair().map_err(|source| QueueError::Os { what: "the sockets", source })?;
        let block = || Block::new(Layout::new::<u64>()).map_err(QueueError::Holders);
        let put = Some(End { socket: sender.into(), block: block()? });
        let get = Some(End { socket: receiver.into(), block: block()? });
        Ok(Self::of(Core::of(ring), Ends { put, get }))
    }

    fn of(core: Arc<Core>, ends: Ends) -> Self {
        Self { core, ends, is_closed: AtomicBool::new(false) }
    }

    /// A handle that can only put.
    pub(crate) fn sender(&self) -> Self {
        Self::of(Arc::clone(&self.core), Ends { put: self.ends.put.clone(), get: None })
    }

    /// A handle that can only take.
    pub(crate) fn receiver(&self) -> Self {
        Self::of(Arc::clone(&self.core), Ends { put: None, get: self.ends.get.clone() })
    }

    /// Puts an item of nothing but bytes, if that takes no more than writing them; returns its record's number.
    #[inline]
    pub(crate) fn put_at_once(&self, bytes: &[u8], handles: &[Handle]) -> Option<u32> {
        let may = handles.is_empty()
            && bytes.len() <= FILE_FROM
            && !self.is_closed()
            && self.core.backlog.load(Relaxed) == 0
            && !self.core.ring.is_overdue();
        if may { self.core.ring.put_at_once(bytes) } else { None }
    }

    /// Puts an item, and returns its record's number if it is in the ring.
    pub(crate) fn put(
        &self,
        bytes: &[u8],
        handles: &[Handle],
        overflow: Overflow,
    ) -> Result<Option<u32>, Failed> {
        if self.is_closed() {
            return Err(Failed::Closed);
        }
        let is_simple = handles.is_empty() && bytes.len() <= self.core.longest();
        if !is_simple || self.core.backlog.load(Relaxed) != 0 {
            return self.put_specially(bytes, handles, overflow);
        }
        let record = Record { bytes, fds: &[], outbox: None, in_file: false };
        match self.patience(overflow) {
            Some(patience) => self.put_record(&record, patience).map(Some),
            None => match self.put_record(&record, Patience::None) {
                Err(Failed::TimedOut) => self.feed(Parcel::new(bytes.to_vec(), Vec::new(), false)),
                result => result.map(Some),
            },
        }
    }

    /// How long a call waits for room; none if what has no room goes to a thread.
    fn patience(&self, overflow: Overflow) -> Option<Patience> {
        match overflow {
            Overflow::Usual(_) if self.core.ring.bound().is_none() => None,
            Overflow::Usual(patience) | Overflow::Wait(patience) => Some(patience),
        }
    }

    /// Puts an item with descriptors, a very long one, or one that has to wait for others.
    #[cold]
    fn put_specially(
        &self,
        bytes: &[u8],
        handles: &[Handle],
        overflow: Overflow,
    ) -> Result<Option<u32>, Failed> {
        let patience = self.patience(overflow);
        if matches!(patience, Some(Patience::None)) && self.core.ring.is_surely_full() {
            return Err(Failed::TimedOut);
        }
        let parcel = self.pack(bytes, handles)?;
        match patience {
            Some(patience) => {
                // A call that waits for room itself does not overtake what this process has put before.
                if feeder::is_busy(&self.core) && !feeder::join_within(&self.core, patience) {
                    return Err(Failed::TimedOut);
                }
                self.put_parcel(&parcel, patience).map(Some)
            }
            None if feeder::is_busy(&self.core) => self.feed(parcel),
            None => match self.put_parcel(&parcel, Patience::None) {
                Err(Failed::TimedOut) => self.feed(parcel),
                result => result.map(Some),
            },
        }
    }

    /// What is put, to be kept and tried again.
    pub(crate) fn pack(&self, bytes: &[u8], handles: &[Handle]) -> Result<Parcel, Failed> {
        if bytes.len() <= self.core.longest() {
            return Ok(Parcel::new(bytes.to_vec(), handles.to_vec(), false));
        }
        let file = memfd::seal(bytes).map_err(|err| Failed::Refused(Refused::Os(err)))?;
        let handles = [&[file.into()], handles].concat();
        Ok(Parcel::new((bytes.len() as u64).to_ne_bytes().to_vec(), handles, true))
    }

    #[cold]
    fn feed(&self, parcel: Parcel) -> Result<Option<u32>, Failed> {
        if self.core.ring.is_shut_down() {
            return Err(Failed::Refused(Refused::ShutDown));
        }
        if self.core.ring.is_overdue() {
            return Err(Failed::Unfinished);
        }
        feeder::feed(self, parcel).map_err(|err| Failed::Refused(Refused::Os(err)))?;
        Ok(None)
    }

    pub(crate) fn put_parcel(&self, parcel: &Parcel, patience: Patience) -> Result<u32, Failed> {
        let fds: Vec<BorrowedFd<'_>> = parcel.handles.iter().map(AsFd::as_fd).collect();
        let outbox = self.ends.put.as_ref().map(|end| end.socket.as_fd());
        let record = Record { bytes: &parcel.bytes, fds: &fds, outbox, in_file: parcel.in_file };
        self.put_record(&record, patience)
    }

    fn put_record(&self, record: &Record<'_>, patience: Patience) -> Result<u32, Failed> {
        if self.core.ring.is_overdue() {
            return Err(Failed::Unfinished);
        }
        let mut waiting = Waiting::new(patience);
        loop {
            match self.core.ring.put(record, &mut waiting) {
                Ok(number) => return Ok(number),
                Err(Refused::Slice) if self.may_be_taken() => {}
                Err(Refused::Slice) => return Err(Failed::Abandoned),
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// Takes the oldest item, if it is there and takes no more than copying; else returns false.
    #[inline]
    pub(crate) fn get_at_once(
        &self,
        landing: &mut impl Landing,
        claim: Option<&AtomicU64>,
    ) -> bool {
        !self.is_closed() && self.ends.get.is_some() && self.core.ring.get_at_once(landing, claim)
    }

    /// Puts items of nothing but bytes, as far as each takes no more than writing it; returns their number.
    pub(crate) fn put_run(&self, run: &Run, first: usize) -> usize {
        let may = !self.is_closed()
            && self.core.backlog.load(Relaxed) == 0
            && !self.core.ring.is_overdue();
        if may { self.core.ring.put_run(run, first) } else { 0 }
    }

    /// Takes up to `max` items, as far as each is there and takes no more than copying; returns their number.
    pub(crate) fn get_run(&self, run: &mut Run, max: usize, claim: Option<&AtomicU64>) -> usize {
        let may = !self.is_closed() && self.ends.get.is_some();
        if may { self.core.ring.get_run(run, max, claim) } else { 0 }
    }

    /// True if an item has come within a moment. Who has no patience does not wait that long.
    pub(crate) fn linger(&self, patience: Patience) -> bool {
        !matches!(patience, Patience::None) && self.core.ring.linger()
    }

    /// Takes the oldest item, by a call that has [lingered](Self::linger).
    pub(crate) fn get(
        &self,
        landing: &mut impl Landing,
        claim: Option<&AtomicU64>,
        patience: Patience,
    ) -> Result<Taken, Failed> {
        if self.is_closed() {
            return Err(Failed::Closed);
        }
        let Some(end) = &self.ends.get else { return Err(Failed::Closed) };
        let inbox = Inbox(end.socket.as_fd());
        let mut waiting = Waiting::lingered(patience);
        loop {
            match self.core.ring.get(landing, claim, inbox, &mut waiting) {
                Ok(taken) => return Ok(taken),
                Err(Refused::Slice) => {
                    self.core.ring.rest();
                    if self.may_be_put() {
                        continue;
                    }
                    // The last one may have put something before it went.
                    let last = &mut Waiting::new(Patience::None);
                    return match self.core.ring.get(landing, claim, inbox, last) {
                        Err(Refused::TimedOut) => Err(Failed::Abandoned),
                        other => other.map_err(Failed::from),
                    };
                }
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// True if somebody else could put an item, as far as can be known.
    pub(crate) fn may_be_put(&self) -> bool {
        feeder::is_busy(&self.core) || others_hold(self.ends.put.as_ref(), self.ends.get.as_ref())
    }

    /// True if somebody else could take an item, as far as can be known.
    pub(crate) fn may_be_taken(&self) -> bool {
        others_hold(self.ends.get.as_ref(), self.ends.put.as_ref())
    }

    /// The same for a task, whose handle and thread others share that could act: with both ends one never knows.
    #[cfg(feature = "tokio")]
    pub(crate) fn may_be_put_to_task(&self) -> bool {
        self.ends.put.is_some() || self.may_be_put()
    }

    /// As [`may_be_put_to_task`](Self::may_be_put_to_task).
    #[cfg(feature = "tokio")]
    pub(crate) fn may_be_taken_from_task(&self) -> bool {
        self.ends.get.is_some() || self.may_be_taken()
    }

    /// True if another process could take an item, as far as can be known.
    pub(crate) fn may_be_taken_elsewhere(&self) -> bool {
        match &self.ends.get {
            Some(end) => end.block.is_held_elsewhere(),
            None => self.may_be_taken(),
        }
    }

    pub(crate) fn close(&self) {
        self.is_closed.store(true, Relaxed);
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Relaxed)
    }

    pub(crate) fn shut_down(&self, discard: bool) {
        let inbox = self.ends.get.as_ref().map(|end| Inbox(end.socket.as_fd()));
        self.core.ring.shut_down(discard, inbox);
    }

    /// How many items there are: in the ring, and waiting in this process.
    pub(crate) fn len(&self) -> usize {
        self.core.ring.len() as usize + feeder::backlog(&self.core)
    }
}

/// True if anybody but the holder of these ends has the one that is asked about.
fn others_hold(asked: Option<&End>, other: Option<&End>) -> bool {
    match (asked, other) {
        // What shares this handle with other threads cannot be counted: as long as there are any, one may act.
        (Some(end), _) => {
            end.block.is_held_elsewhere()
                || end.block.handles_here() > 1
                || threads::foreign().is_ok_and(|threads| !threads.is_empty())
        }
        (None, Some(end)) => !has_hung_up(end.socket.as_fd()).unwrap_or(false),
        (None, None) => true,
    }
}

/// True if nobody, in no process and no message, has the other end of a socket any more.
fn has_hung_up(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::empty())];
    poll(&mut fds, Some(&Timespec::default()))?;
    Ok(fds[0].revents().contains(PollFlags::HUP))
}

impl Clone for Port {
    fn clone(&self) -> Self {
        let clone = Self::of(Arc::clone(&self.core), self.ends.clone());
        clone.is_closed.store(self.is_closed(), Relaxed);
        clone
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // First the ends, then the word, so that whoever is roused by it sees that they are gone.
        self.ends = Ends::default();
        self.core.ring.depart();
    }
}

impl Serialize for Port {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_closed() {
            return Err(ser::Error::custom(crate::Closed));
        }
        (&self.core.ring, &self.ends).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (ring, ends) = <(Ring, Ends)>::deserialize(deserializer)?;
        if ends.put.is_none() && ends.get.is_none() {
            return Err(de::Error::custom("a queue of which neither end came along"));
        }
        Ok(Self::of(Core::of(ring), ends))
    }
}
