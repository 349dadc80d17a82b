//! In a worker process: what the pool says, and how it is answered.
//!
//! Messages stand in the ring one behind the other, each behind its length; results as the items of a sequence. In both a
//! mark says that the next one is a packet on the link, sent before the mark was set.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use multiproc_sys::packet;

use super::{
    frame::{self, Said},
    ring::{Reader, Writer},
    shared::{self, RUN, Shared},
    spin::Spin,
};
use crate::{
    TaskError,
    sequence::{Block, Body, Large, MARK, Pushed, Sequence},
};

/// In place of a length: the message is on the link.
pub(super) const ON_LINK: u32 = u32::MAX;

/// A worker's end of its connection with the pool.
pub(super) struct Mailbox {
    shared: Shared,
    orders: Reader,
    results: Writer,
    link: Arc<OwnedFd>,
    bell: OwnedFd,
    /// How many results were given so far.
    given: u64,
    /// True if the pool may not know yet of the last of them, or of the room that there is.
    is_untold: bool,
    spin: Spin,
    /// True when nobody is there to be answered.
    pub(super) is_gone: bool,
}

impl Mailbox {
    pub(super) fn new(shared: Shared, link: Arc<OwnedFd>, bell: OwnedFd) -> Self {
        let (orders, results) = shared.inside();
        Self {
            shared,
            orders,
            results,
            link,
            bell,
            given: 0,
            is_untold: false,
            spin: Spin::default(),
            is_gone: false,
        }
    }

    /// Waits for a message; false if there will be none.
    pub(super) fn next(&mut self, bytes: &mut Vec<u8>, fds: &mut Vec<OwnedFd>) -> io::Result<bool> {
        bytes.clear();
        fds.clear();
        let Some(available) = self.wait() else { return Ok(false) };
        // The pool may wait for the room that this makes, and calls that were taken back are not answered.
        self.is_untold = true;
        if available < 4 {
            return Ok(false);
        }
        self.orders.read(4, bytes);
        let len = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        bytes.clear();
        if len == ON_LINK {
            return packet::recv(self.link.as_fd(), bytes, fds);
        }
        let len = len as usize;
        if available - 4 < len {
            return Ok(false);
        }
        self.orders.read(len, bytes);
        Ok(true)
    }

    /// Waits until there are orders: how many bytes of them.
    fn wait(&mut self) -> Option<usize> {
        loop {
            match self.orders.available()? {
                0 => {}
                available => return Some(available),
            }
            if self.is_untold {
                self.tell();
            }
            let Self { shared, orders, spin, .. } = self;
            let is_there = || orders.available() != Some(0);
            if !spin.until(is_there) {
                shared.sleep_until_orders(is_there);
            }
        }
    }

    /// Wakes the pool if it has asked for it.
    fn tell(&mut self) {
        self.is_untold = false;
        if self.shared.is_called(u64::MAX - 1) {
            shared::ring(&self.bell);
        }
    }

    /// Says something that is no result.
    pub(super) fn say(&mut self, said: &Said) {
        self.is_gone |= self.post(&frame::bare(said), &[], 0).is_err();
        self.tell();
    }

    /// Gives results, and empties the sequence.
    #[inline]
    pub(super) fn give(&mut self, results: &mut Sequence) {
        let count = results.count;
        if results.handles.is_empty() && results.bytes.len() <= RUN {
            self.write(&results.bytes);
            self.publish(count);
            results.bytes.clear();
            results.count = 0;
        } else {
            let Sequence { bytes, handles, .. } = results.take();
            self.give_block(count, &Block { body: Body::Memory(bytes), handles }, false);
        }
    }

    /// Gives results through the link; `is_error` if there is one, in a file, and it is none.
    pub(super) fn give_block(&mut self, count: usize, block: &Block, is_error: bool) {
        let sent = frame::results(count, block, is_error).and_then(|packet| {
            let sent = self.post(&packet.bytes(), &packet.fds, count);
            sent.map_err(|err| TaskError::Result(err.to_string()))
        });
        if let Err(err) = sent {
            // Too many descriptors, say; that much can be said.
            for _ in 0..count {
                self.give_failure(&err);
            }
        }
    }

    /// Gives an error in place of a result.
    pub(super) fn give_failure(&mut self, err: &TaskError) {
        let mut failure = Sequence::default();
        match failure.push_failure(err) {
            Pushed::Inside => self.give(&mut failure),
            Pushed::Large(large) => self.give_large(large),
        }
    }

    /// Gives a result that stands alone.
    #[cold]
    pub(super) fn give_large(&mut self, large: Large) {
        let is_error = large.is_error;
        match large.into_block() {
            Ok(block) => self.give_block(1, &block, is_error),
            Err(err) => self.give_failure(&TaskError::Result(err.to_string())),
        }
    }

    /// Sends a packet, and sets a mark that stands for so many results.
    fn post(&mut self, bytes: &[u8], fds: &[BorrowedFd<'_>], count: usize) -> io::Result<()> {
        match packet::send(self.link.as_fd(), bytes, fds) {
            Ok(()) => {}
            Err(err) if is_closed(&err) => self.is_gone = true,
            Err(err) => return Err(err),
        }
        let mut mark = [MARK; 5];
        mark[1..].copy_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        self.write(&mark);
        self.publish(count);
        Ok(())
    }

    /// Writes results, piece by piece where there is not room for all.
    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_gone {
            let room = self.results.room(bytes.len());
            let Some(room) = room else { break };
            if room < bytes.len() {
                self.wait_for_room(bytes.len());
                continue;
            }
            if self.results.write(bytes).is_err() {
                // No memory for what a task has returned: it is lost, and so is the worker.
                break;
            }
            bytes = &[];
        }
        self.is_gone |= !bytes.is_empty();
    }

    /// Waits until the pool has read something.
    fn wait_for_room(&mut self, wanted: usize) {
        self.tell();
        let Self { shared, results, .. } = self;
        shared.sleep_until_room(|| results.room(wanted).is_none_or(|room| wanted <= room));
    }

    fn publish(&mut self, count: usize) {
        self.results.publish();
        self.given += count as u64;
        if self.shared.is_called(self.given) {
            self.is_untold = false;
            shared::ring(&self.bell);
        } else {
            self.is_untold = true;
        }
    }
}

/// True if the other end of a link is gone.
pub(super) fn is_closed(err: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    matches!(err.kind(), BrokenPipe | ConnectionReset | NotConnected)
}

#[cfg(test)]
mod tests {
    use std::{
        thread,
        time::{Duration, Instant},
    };

    use multiproc_sys::poll;
    use rustix::event::{EventfdFlags, eventfd};

    use super::*;

    #[test]
    fn orders_that_are_not_answered_are_told_of_before_it_sleeps() {
        let shared = Shared::new().unwrap();
        let (mut orders, _) = shared.outside();
        let (_link, theirs) = packet::pair().unwrap();
        let bell = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let heard = bell.try_clone().unwrap();
        let mut mailbox = Mailbox::new(shared.clone(), Arc::new(theirs), bell);
        let mut give = |text: &[u8]| {
            orders.write(&(text.len() as u32).to_le_bytes()).unwrap();
            orders.write(text).unwrap();
            orders.publish();
        };
        give(b"taken back");
        // The pool sleeps until there are a thousand results.
        shared.call_at(1000);
        let worker = thread::spawn(move || {
            let (mut bytes, mut fds) = (Vec::new(), Vec::new());
            for text in ["taken back", "the end"] {
                assert!(mailbox.next(&mut bytes, &mut fds).unwrap());
                assert_eq!(bytes, text.as_bytes());
            }
        });
        let patience = Instant::now() + Duration::from_secs(60);
        let has_rung = poll::wait_readable(heard.as_fd(), Some(patience)).unwrap();
        give(b"the end");
        shared.wake_for_orders();
        worker.join().unwrap();
        assert!(has_rung);
    }
}
