//! Giving tasks to workers, ahead of time where there are many, and taking back what was given too early.

use super::{
    Leave, Phase, Scheduler,
    slot::{Held, Slot},
};
use crate::{
    TaskError,
    job::Task,
    program::Program,
    sequence::INLINE,
    worker::{Given, Order, Worker, revoke},
};

/// How many of what users call tasks a worker has in hand at most.
const DEPTH: usize = 1024;
/// A message of less than `INLINE` bytes takes one more task whole if it has at most so many with it.
const ROOM: usize = INLINE + INLINE / 4 + 1024;

impl<W: Worker> Scheduler<W> {
    /// Gives queued tasks to workers; stops workers that will get none.
    pub(crate) fn assign(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.is_full = false);
        // First those that have nothing, then ahead of time, so that none is given two while another has none.
        for depth in [1, self.depth()] {
            for at in 0..self.slots.len() {
                if self.queue.is_empty() {
                    break;
                }
                self.fill(at, depth);
            }
        }
        if self.queue.is_empty() {
            self.share_out();
        }
        for at in 0..self.slots.len() {
            let slot = &self.slots[at];
            let is_done =
                self.phase == Phase::Closed && self.queue.is_empty() && slot.backlog.is_empty();
            if slot.leave == Leave::Wanted || (is_done && slot.leave == Leave::No) {
                self.stop(at);
            }
        }
    }

    /// Tries again where there was no room; true if that has changed anything.
    pub(crate) fn assign_again(&mut self) -> bool {
        let is_held_up = |slots: &[Slot<W>]| slots.iter().any(|slot| slot.is_full);
        if !is_held_up(&self.slots) {
            return false;
        }
        let done = self.done;
        self.assign();
        self.done != done || !is_held_up(&self.slots)
    }

    /// How many tasks each worker may have in hand: few where few are left, so that none waits behind another while a
    /// worker has nothing to do.
    fn depth(&self) -> usize {
        if !self.are_processes {
            return 1;
        }
        let enough = DEPTH * self.slots.len().max(1) * 2;
        let mut queued = 0;
        for task in &self.queue {
            queued += task.load();
            if queued >= enough {
                break;
            }
        }
        (1 + queued / (2 * self.slots.len().max(1))).min(DEPTH)
    }

    /// Gives a worker tasks until it has `depth`, unless it has half of that already.
    fn fill(&mut self, at: usize, depth: usize) {
        // More than once where a task cannot be sent: then the worker still has none.
        loop {
            let slot = &self.slots[at];
            let has = slot.in_hand();
            if slot.leave != Leave::No
                || slot.doom.is_some()
                || (has > 0 && has * 2 > depth)
                || has >= depth
                || slot.weight() >= INLINE
            {
                return;
            }
            let left = self.settings.max_tasks.map_or(usize::MAX, |most| most - slot.chunks);
            let batch = self.pop((depth - has).min(left));
            if batch.is_empty() || !self.give(at, batch) {
                return;
            }
        }
    }

    /// Takes so many of what users call tasks from the queue, as far as they fit into one message.
    fn pop(&mut self, most: usize) -> Vec<Task> {
        let (mut weight, mut left) = (0, most);
        let mut batch = Vec::new();
        while left > 0
            && weight < INLINE
            && let Some(task) = self.queue.pop_front()
        {
            if task.scares > 0 && !batch.is_empty() {
                self.queue.push_front(task);
                break;
            }
            let (task, rest) = task.portion(left, ROOM - weight);
            rest.into_iter().for_each(|rest| self.queue.push_front(rest));
            weight += task.weight();
            left -= task.chunk_ends().min(left);
            let is_suspect = task.scares > 0;
            batch.push(task);
            if is_suspect {
                break;
            }
        }
        batch
    }

    /// Gives tasks to a worker; true if it is worth trying again at once.
    fn give(&mut self, at: usize, batch: Vec<Task>) -> bool {
        let slot = &mut self.slots[at];
        let mut seq = slot.next_seq;
        let orders: Vec<_> = batch
            .iter()
            .map(|task| {
                let is_loaded = match &task.job.program {
                    Program::Wire(program) => slot.loaded.contains_or_add(program.key),
                    Program::Local(_) => true,
                };
                let order = Order { task, seq, is_loaded };
                seq += task.count as u64;
                order
            })
            .collect();
        let given = slot.worker.give(&orders);
        drop(orders);
        slot.is_full = matches!(given, Given::Full);
        match given {
            Given::Taken => {
                for task in batch {
                    slot.chunks += task.chunk_ends();
                    let seq = slot.next_seq;
                    slot.next_seq += task.count as u64;
                    slot.backlog.push_back(Held { task, seq, answered: 0 });
                }
                if self.settings.max_tasks.is_some_and(|most| slot.chunks >= most) {
                    self.stop(at);
                }
                false
            }
            // What it has loaded cannot be known any more, so it is told anew.
            Given::Full | Given::Gone => {
                slot.loaded = Default::default();
                if matches!(given, Given::Gone) {
                    slot.leave = Leave::Gone;
                }
                batch.into_iter().rev().for_each(|task| self.queue.push_front(task));
                false
            }
            Given::Refused(why) => {
                slot.loaded = Default::default();
                let mut batch = batch.into_iter();
                // Which one it was is found out by giving the others again.
                if let Some(first) = batch.next() {
                    self.fail(first, TaskError::Encode(why));
                }
                batch.rev().for_each(|task| self.queue.push_front(task));
                true
            }
        }
    }

    /// Has a worker end when it has done what it has in hand.
    pub(super) fn stop(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        slot.leave = Leave::Asked;
        let told = slot.worker.stop();
        slot.is_full = matches!(told, Given::Full);
        match told {
            Given::Taken => {}
            // Again when there may be room.
            Given::Full => slot.leave = Leave::Wanted,
            Given::Gone => slot.leave = Leave::Gone,
            Given::Refused(_) if slot.backlog.is_empty() => slot.worker.terminate(),
            Given::Refused(_) => slot.leave = Leave::Wanted,
        }
    }

    /// With nothing in the queue, gives workers that have nothing half of what another has not begun.
    fn share_out(&mut self) {
        // What is counted by chunks is not cut into smaller ones.
        if !self.are_processes || self.settings.max_tasks.is_some() {
            return;
        }
        for thief in 0..self.slots.len() {
            let slot = &self.slots[thief];
            if !slot.is_ready || !slot.backlog.is_empty() || slot.leave != Leave::No {
                continue;
            }
            let loaded = (0..self.slots.len()).max_by_key(|at| self.slots[*at].load());
            let Some(victim) = loaded.filter(|at| self.slots[*at].load() > 1) else { return };
            let taken = self.take_back_from(victim);
            if taken.is_empty() {
                continue;
            }
            let (mine, back) = halve(taken);
            // The later half stays, in its order.
            for (at, tasks) in [(thief, mine), (victim, back)] {
                if !tasks.is_empty() {
                    tasks.into_iter().rev().for_each(|task| self.queue.push_front(task));
                    self.fill(at, DEPTH);
                }
            }
        }
    }

    /// Takes back what a worker has not begun, and queues it again.
    pub(super) fn take_back(&mut self, at: usize) {
        let tasks = self.take_back_from(at);
        tasks.into_iter().rev().for_each(|task| self.queue.push_front(task));
    }

    /// Takes back what a worker has not begun.
    pub(super) fn take_back_from(&mut self, at: usize) -> Vec<Task> {
        let slot = &mut self.slots[at];
        let (open, end) = (slot.first_open(), slot.next_seq);
        if open == end {
            return Vec::new();
        }
        let first = revoke(slot.worker.board(), &mut slot.taken_back, open, end);
        let taken = cut(slot, first);
        slot.rest();
        taken
    }
}

/// Takes all from call number `first` on out of a worker's hands, in the order in which it was given.
pub(super) fn cut<W>(slot: &mut Slot<W>, first: u64) -> Vec<Task> {
    let mut taken = Vec::new();
    while let Some(held) = slot.backlog.pop_back() {
        if held.end() <= first {
            slot.backlog.push_back(held);
            break;
        }
        let Held { task, seq, answered } = held;
        let begun = usize::try_from(first.saturating_sub(seq)).unwrap_or(usize::MAX);
        let (kept, rest) = task.split(begun);
        slot.chunks -= rest.as_ref().map_or(0, Task::chunk_ends);
        taken.extend(rest);
        if let Some(task) = kept {
            if task.count > answered {
                slot.backlog.push_back(Held { task, seq, answered });
            }
            break;
        }
    }
    taken.reverse();
    taken
}

/// The first half of the calls, and the rest.
fn halve(tasks: Vec<Task>) -> (Vec<Task>, Vec<Task>) {
    let total: usize = tasks.iter().map(|task| task.count).sum();
    let mut left = total.div_ceil(2);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for task in tasks {
        let (head, tail) = task.split(left);
        left -= head.as_ref().map_or(0, |head| head.count);
        first.extend(head);
        second.extend(tail);
    }
    (first, second)
}
