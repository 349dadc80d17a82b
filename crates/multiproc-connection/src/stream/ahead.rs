//! What was taken from the socket behind the current message.

use std::{cell::RefCell, collections::VecDeque, mem, os::fd::OwnedFd};

/// How much is taken at once.
const MOST: usize = 16 << 10;

/// What an end that reads ahead keeps between messages: hardly ever anything, so memory is got only then.
#[derive(Default)]
pub(super) struct Ahead {
    bytes: Vec<u8>,
    from: usize,
    /// The descriptors that came with bytes which are still here, in their order.
    fds: VecDeque<OwnedFd>,
    /// Descriptors came for which this process had no room.
    no_room: bool,
    /// The last look found less than there was room for: the socket is empty, or at its end.
    drained: bool,
}

thread_local! {
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Ahead {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.len() == self.from
    }

    /// Returns true if there is nothing here, nor in the socket.
    #[cfg(feature = "tokio")]
    pub(super) fn is_drained(&self) -> bool {
        self.drained && self.is_empty()
    }

    /// Says that bytes were taken from the socket which did not pass through here.
    pub(super) fn is_passed_by(&mut self) {
        self.drained = false;
    }

    /// Moves the first bytes to `to`, and returns how many.
    pub(super) fn take(&mut self, to: &mut [u8]) -> usize {
        let count = to.len().min(self.bytes.len() - self.from);
        to[..count].copy_from_slice(&self.bytes[self.from..self.from + count]);
        self.from += count;
        if self.is_empty() {
            self.bytes = Vec::new();
            self.from = 0;
        }
        count
    }

    /// Has `read` fill a thread's room, and keeps what it has read. Only if nothing is here.
    pub(super) fn fill(
        &mut self,
        read: impl FnOnce(&mut [u8], &mut Vec<OwnedFd>) -> rustix::io::Result<(usize, bool)>,
    ) -> rustix::io::Result<usize> {
        let room = ROOM.try_with(RefCell::take);
        let mut room = room.unwrap_or_default();
        room.resize(MOST, 0);
        let mut fds = Vec::new();
        let result = read(&mut room, &mut fds);
        if let Ok((got, truncated)) = result {
            self.bytes.extend_from_slice(&room[..got]);
            // Where descriptors are attached the kernel stops early.
            self.drained = got < room.len() && fds.is_empty() && !truncated;
            self.no_room |= truncated;
            self.fds.extend(fds);
        }
        // A thread past its locals has no room any more.
        let _ = ROOM.try_with(|kept| kept.replace(room));
        result.map(|(got, _)| got)
    }

    /// Takes the next descriptors, as many as there are of so many; false if some were lost on the way.
    pub(super) fn take_fds(&mut self, count: usize, to: &mut Vec<OwnedFd>) -> bool {
        to.extend(self.fds.drain(..count.min(self.fds.len())));
        !mem::take(&mut self.no_room)
    }

    /// Says that a message is whole. What came with bytes that are taken nobody asked for.
    pub(super) fn is_whole(&mut self) {
        if self.is_empty() {
            self.fds.clear();
            self.no_room = false;
        }
    }
}
