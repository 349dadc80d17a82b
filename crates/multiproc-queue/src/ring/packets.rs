//! The descriptors of items: packets in a socket pair beside the ring, each with the number of its record's packet.
//!
//! | step | who | what a kill right after it leaves |
//! |---|---|---|
//! | number taken | producer, under its lock | a number that is never used |
//! | packet sent | the same | an orphan: no record names its number, and it is thrown away |
//! | header stored | the same | a whole item |
//! | packet looked at | consumer, under its lock | the item, for the next consumer |
//! | `tail` stored | the same | an orphan; the item was in the hands of the killed one |
//! | packet taken | the same | nothing |
//!
//! Numbers are taken and packets sent under one lock, so packets lie in the socket in the order of their numbers, and
//! what comes before the packet that is looked for is an orphan. Where no record comes, they are thrown away by a
//! consumer that finds the queue empty: what has a lower number than the last one that was taken before that look.

use std::{
    io::{self, ErrorKind},
    os::fd::BorrowedFd,
};

use multiproc_sys::{
    packet,
    primitive::Ordering::{Relaxed, SeqCst},
};

use super::{Descriptors, Record, Refused, Ring, layout::Position};

/// The receiving end of the pair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inbox<'a>(pub(crate) BorrowedFd<'a>);

impl Inbox<'_> {
    /// The number of the packet that would be received next, if there is one of ours.
    fn first(self) -> Option<u64> {
        packet::peek(self.0)?.start.map(u64::from_ne_bytes)
    }

    /// Receives what [`first`](Self::first) has shown.
    fn take(self, fds: &mut Descriptors) -> io::Result<bool> {
        packet::try_recv(self.0, &mut Vec::new(), fds)
    }

    /// Throws away all packets with a lower number; true if there were any.
    fn discard_below(self, number: u64) -> bool {
        let mut any = false;
        while self.first().is_some_and(|first| first < number) {
            let _ = self.take(&mut Descriptors::new());
            any = true;
        }
        any
    }
}

impl Ring {
    /// Sends the descriptors of a record, if it has any, and returns the number of their packet.
    pub(super) fn send_packet(&self, record: &Record<'_>) -> io::Result<Option<u64>> {
        if record.fds.is_empty() {
            return Ok(None);
        }
        let outbox = record.outbox.ok_or(ErrorKind::NotConnected)?;
        let last = &self.fields().packet;
        let number = last.load(Relaxed).wrapping_add(1);
        last.store(number, SeqCst);
        let number_bytes = number.to_ne_bytes();
        let is_too_many = |err: &io::Error| err.raw_os_error() == Some(libc::ETOOMANYREFS);
        let packet = match packet::Parcel::new(&number_bytes, record.fds) {
            Ok(packet) => packet,
            // They are counted with those of all that is under way: taking some out makes room, if there are any.
            Err(err) if is_too_many(&err) && self.len() > 0 => {
                return Err(ErrorKind::WouldBlock.into());
            }
            Err(err) => return Err(err),
        };
        match packet.try_send(outbox) {
            Ok(()) => Ok(Some(number)),
            Err(err) if is_too_many(&err) => Err(ErrorKind::WouldBlock.into()),
            Err(err) => Err(err),
        }
    }

    /// True if the packet of this number is the next one; those before it belong to no record.
    pub(super) fn look_for_packet(&self, inbox: Inbox<'_>, number: u64) -> bool {
        inbox.discard_below(number);
        inbox.first() == Some(number)
    }

    /// Receives the packet that was looked for; false if that failed, and then it is lost.
    pub(super) fn take_packet(&self, inbox: Inbox<'_>, number: u64, fds: &mut Descriptors) -> bool {
        let taken = inbox.first() == Some(number) && inbox.take(fds).is_ok();
        self.fields().get.swept.fetch_max(number, SeqCst);
        taken
    }

    /// Throws away packets that belong to no record, when there is none; with the lock of the consumers held.
    pub(super) fn sweep_packets(&self, inbox: Inbox<'_>, tail: Position) -> Result<(), Refused> {
        let fields = self.fields();
        let last = fields.packet.load(SeqCst);
        if last == fields.get.swept.load(SeqCst) || self.find(tail)?.is_some() {
            return Ok(());
        }
        // Every record whose packet has a lower number was there before `last` was stored; and there is no record. The
        // packet of that number itself may be on its way.
        if inbox.discard_below(last) && fields.get.side.has_leader() {
            fields.get.side.nudge();
        }
        if !fields.put.side.is_owned() {
            fields.get.swept.fetch_max(last, SeqCst);
        }
        Ok(())
    }
}
