//! One worker, and what it has in hand.

use std::{collections::VecDeque, ops::Range, sync::Arc, time::Instant};

use crate::{
    TaskError,
    job::{Job, Task},
    worker::{Loaded, Worker, behind, progress},
};

/// Tells the workers of a pool apart; not used twice.
pub(crate) type WorkerId = u64;

/// How far a worker has come on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Leave {
    No,
    /// It shall be asked to end.
    Wanted,
    /// It has been asked to.
    Asked,
    /// It is gone without having been asked; how, its death will tell.
    Gone,
}

/// A task with a worker.
pub(super) struct Held {
    pub(super) task: Task,
    /// The number of its first call among all that the worker was given.
    pub(super) seq: u64,
    /// How many of its calls are answered.
    pub(super) answered: usize,
}

impl Held {
    pub(super) fn end(&self) -> u64 {
        self.seq + self.task.count as u64
    }
}

/// One worker.
pub(super) struct Slot<W> {
    pub(super) id: WorkerId,
    pub(super) worker: Arc<W>,
    /// Which of the pool's places it has, until it leaves, and how many have had it before.
    pub(super) place: usize,
    pub(super) restarts: u64,
    /// What it has in hand, in the order in which it is done.
    pub(super) backlog: VecDeque<Held>,
    /// The number of the next call that it is given.
    pub(super) next_seq: u64,
    /// What was taken back and may still be with it.
    pub(super) taken_back: Option<Range<u64>>,
    pub(super) loaded: Loaded,
    /// True once it has said that it is there.
    pub(super) is_ready: bool,
    pub(super) leave: Leave,
    /// True if there was no room for what it was to be told last.
    pub(super) is_full: bool,
    /// Why a call is being ended together with the worker.
    pub(super) doom: Option<(u64, TaskError)>,
    /// What its last call has said.
    pub(super) last_words: Option<TaskError>,
    /// How many of what users call tasks it was given.
    pub(super) chunks: usize,
    /// How many calls it has answered.
    pub(super) calls: u64,
    pub(super) started: Instant,
    /// Since when it has had nothing to do, if it has.
    pub(super) idle_since: Instant,
}

impl<W: Worker> Slot<W> {
    pub(super) fn new(id: WorkerId, worker: Arc<W>, place: usize, restarts: u64) -> Self {
        let now = Instant::now();
        Self {
            id,
            worker,
            place,
            restarts,
            backlog: VecDeque::new(),
            next_seq: 0,
            taken_back: None,
            loaded: Loaded::default(),
            is_ready: false,
            leave: Leave::No,
            is_full: false,
            doom: None,
            last_words: None,
            chunks: 0,
            calls: 0,
            started: now,
            idle_since: now,
        }
    }

    /// True unless it is to leave, or has been asked to: then another one may have its place.
    pub(super) fn is_staying(&self) -> bool {
        matches!(self.leave, Leave::No | Leave::Gone)
    }

    /// The number of the first call that is not answered.
    pub(super) fn first_open(&self) -> u64 {
        self.backlog.front().map_or(self.next_seq, |held| held.seq + held.answered as u64)
    }

    /// Takes down that the next `count` calls are answered, or as many of them as belong to one task: their job, the
    /// place of the first, how many they are. None if it has none in hand.
    pub(super) fn answer(&mut self, count: usize) -> Option<(Arc<Job>, usize, usize)> {
        let held = self.backlog.front_mut()?;
        let count = count.min(held.task.count - held.answered);
        let found = (held.task.job.clone(), held.task.start + held.answered, count);
        held.answered += count;
        self.calls += count as u64;
        if held.answered == held.task.count {
            self.backlog.pop_front();
            self.rest();
        }
        Some(found)
    }

    pub(super) fn rest(&mut self) {
        if self.backlog.is_empty() {
            self.idle_since = Instant::now();
        }
    }

    /// The number of the first call that it has not begun, if `next` stands on its board.
    pub(super) fn behind(&self, next: u64) -> u64 {
        behind(next, self.taken_back.as_ref()).max(self.first_open())
    }

    /// The call that it is at: its number, when it was begun, and what stands on the board meanwhile.
    pub(super) fn running(&self) -> Option<(u64, u64, u64)> {
        let (open, board) = (self.first_open(), self.worker.board());
        let (next, begun) = progress(board, open, self.next_seq);
        let behind = self.behind(next);
        (behind > open).then(|| (behind - 1, begun, next))
    }

    /// How many of what users call tasks it has in hand; parts count.
    pub(super) fn in_hand(&self) -> usize {
        self.backlog.iter().map(|held| held.task.load()).sum()
    }

    /// How many bytes of orders it has in hand.
    pub(super) fn weight(&self) -> usize {
        self.backlog.iter().map(|held| held.task.weight()).sum()
    }

    /// How many calls it has in hand.
    pub(super) fn load(&self) -> u64 {
        self.next_seq - self.first_open()
    }
}
