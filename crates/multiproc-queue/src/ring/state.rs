//! What can be asked of a ring, and its end.

use multiproc_sys::primitive::Ordering::SeqCst;

use super::{
    Ring,
    layout::{DISCARDED, ENDED, OPEN, Position, WORD, difference, span},
    packets::Inbox,
    patience::Patience,
    world::{Access, Atomic, World},
};

impl<W: World> Ring<W> {
    /// How many items there are. Exact at the moment of asking, whoever was killed before.
    pub(crate) fn len(&self) -> u32 {
        if self.is_discarded() {
            return 0;
        }
        let tail = Position(self.fields().tail.load(SeqCst));
        // A producer between header and count makes it one too many that was taken.
        let count = difference(self.committed(), tail.count());
        if count > u32::MAX >> 5 { 0 } else { count }
    }

    /// The number of items that were ever put, modulo 2^28; what a killed producer has left uncounted included.
    pub(super) fn committed(&self) -> u32 {
        let fields = self.fields();
        if fields.put.side.owner_died()
            && let Ok(held) = fields.put.side.lock(&self.world, &fields.get.side, Patience::None)
            && held.died
        {
            // A damaged ring is found out by who uses it.
            let _ = self.recover();
        }
        Position(fields.head.load(SeqCst)).count()
    }

    /// Lets nothing more be put; with `discard` nothing be taken either.
    pub(crate) fn shut_down(&self, discard: bool, inbox: Option<Inbox<'_>>) {
        let fields = self.fields();
        let end = if discard { DISCARDED } else { ENDED };
        fields.state.shutdown.fetch_max(end, SeqCst);
        if discard {
            // From here on nothing is unfinished, whoever was about to put and whoever is killed now.
            self.ring_bell();
        }
        self.announce_end();
        fields.put.side.rouse(&self.world);
        fields.get.side.rouse(&self.world);
        if discard {
            self.discard(inbox);
        }
    }

    /// Gives back the records that nobody may take any more.
    fn discard(&self, inbox: Option<Inbox<'_>>) {
        let fields = self.fields();
        let Ok(held) = fields.get.side.lock(&self.world, &fields.put.side, Patience::Endless)
        else {
            return;
        };
        let mut tail = Position(fields.tail.load(SeqCst));
        while let Ok(Some((header, offset))) = self.find(tail) {
            let (start, end) = span(offset, header.length());
            if header.kind().has_packet
                && let Ok(payload) = self.world.bytes(start, WORD, Access::Read)
                && let Ok(number) = payload.get::<u64>(0)
                && let Some(inbox) = inbox
                && let Some(packet) = self.look_for_packet(inbox, number)
            {
                self.take_packet(inbox, &packet, &mut Vec::new());
            }
            tail = Position::new(end, tail.count().wrapping_add(1));
            fields.tail.store(tail.0, SeqCst);
        }
        drop(held);
        self.trim(true);
    }

    /// True once nothing may be taken any more.
    pub(super) fn is_discarded(&self) -> bool {
        self.fields().state.shutdown.load(SeqCst) == DISCARDED
    }

    /// True once the queue has been shut down, if what is there may still be taken.
    pub(crate) fn is_ended(&self) -> bool {
        self.fields().state.shutdown.load(SeqCst) == ENDED
    }

    /// True once the queue has been shut down.
    pub(crate) fn is_shut_down(&self) -> bool {
        self.fields().state.shutdown.load(SeqCst) != OPEN
    }

    /// Has everybody who waits look whether anybody is left: one has let go of the queue.
    pub(crate) fn depart(&self) {
        self.fields().state.departures.fetch_add(1, SeqCst);
        self.fields().put.side.rouse(&self.world);
        self.fields().get.side.rouse(&self.world);
        self.announce_end();
        self.ring_bell();
    }

    /// What is done at the end of a slice of waiting for an item: give back memory that is not needed.
    pub(crate) fn rest(&self) {
        if self.len() == 0 {
            self.trim(true);
        }
    }
}
