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

use super::{
    Descriptors, Record, Refused, Ring,
    layout::Position,
    world::{Atomic, World},
};

/// The receiving end of the pair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inbox<'a>(pub(crate) BorrowedFd<'a>);

impl Inbox<'_> {
    /// The packet that would be received next, if there is one of ours.
    fn first(self) -> Option<Packet> {
        let peeked = packet::peek(self.0)?;
        Some(Packet { number: u64::from_ne_bytes(peeked.start?), peeked })
    }

    /// Receives what [`first`](Self::first) has shown; false if that failed, and then it is lost.
    fn take(self, packet: &Packet, fds: &mut Descriptors) -> bool {
        let mut number = Vec::new();
        packet::try_recv_peeked(self.0, &packet.peeked, &mut number, fds).is_ok()
            && number == packet.number.to_ne_bytes()
    }

    /// Throws away all packets with a lower number; returns whether there were any, and the packet that comes next.
    fn discard_below(self, number: u64) -> (bool, Option<Packet>) {
        let mut any = false;
        loop {
            match self.first() {
                Some(packet) if packet.number < number => {
                    self.take(&packet, &mut Descriptors::new());
                    any = true;
                }
                next => return (any, next),
            }
        }
    }
}

/// A packet that was looked at and not received.
#[derive(Debug)]
pub(super) struct Packet {
    number: u64,
    peeked: packet::Peeked,
}

impl<W: World> Ring<W> {
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

    /// The packet of this number, if it is the next one; those before it belong to no record.
    pub(super) fn look_for_packet(&self, inbox: Inbox<'_>, number: u64) -> Option<Packet> {
        inbox.discard_below(number).1.filter(|next| next.number == number)
    }

    /// Receives the packet that was looked for; false if that failed, and then it is lost.
    pub(super) fn take_packet(
        &self,
        inbox: Inbox<'_>,
        packet: &Packet,
        fds: &mut Descriptors,
    ) -> bool {
        let taken = inbox.take(packet, fds);
        self.fields().get.swept.fetch_max(packet.number, SeqCst);
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
        if inbox.discard_below(last).0 && fields.get.side.has_leader() {
            fields.get.side.nudge(&self.world);
        }
        if !fields.put.side.is_owned() {
            fields.get.swept.fetch_max(last, SeqCst);
        }
        Ok(())
    }
}
