//! Which call a worker is at.
//!
//! All calls that a worker is ever given are numbered. Its board holds the number of the next one to begin, which only
//! the worker writes, and which calls were taken back, which only the pool writes. The worker begins a call by writing
//! down that it does and then looking whether it was taken back; the pool takes calls back by closing the gate, looking
//! what was begun, writing down what of the rest it takes, and opening the gate. Each side writes before it looks, with a
//! fence between the two, so each call is begun or taken back, never both, and a worker that dies at any instruction has
//! left the number behind. README.md beside this file tells it step by step.

use std::{ops::Range, thread, time::Duration};

use multiproc_sys::{
    barrier,
    board::Board,
    primitive::{
        Ordering::{Acquire, Relaxed, Release, SeqCst},
        compiler_fence, fence,
    },
};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// The number of the next call to begin.
const NEXT: usize = 0;
/// When the call before that was begun, in nanoseconds; only where somebody looks.
const BEGUN: usize = 1;
/// What is to be begun next while the call runs that shall stop.
const STOP: usize = 2;
/// 1 if the worker has aborted for want of memory.
pub(crate) const OUT_OF_MEMORY: usize = 3;
/// How long the worker has been at calls, in nanoseconds.
const BUSY: usize = 4;
/// 1 if the worker leaves its fences to the pool.
const UNFENCED: usize = 5;
/// How often the gate was opened or closed: odd while it is closed. From here on the pool writes, on a line of its own.
const GATE: usize = 8;
/// The first call that was taken back last, and the first behind it that was not.
const FROM: usize = 9;
const TO: usize = 10;

/// How often a worker looks whether the gate is open before it sleeps in between, and how long.
const LOOKS: u32 = 1000;
const NAP: Duration = Duration::from_micros(50);

/// The calls of one order that a worker may begin.
pub(crate) struct Claims<'a> {
    board: &'a Board,
    seq: u64,
    end: u64,
    /// The gate as it was when `end` was right; none at first.
    gate: Option<u64>,
    how: How,
}

/// How a worker begins calls.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct How {
    /// True if the moment is to be noted.
    pub(crate) is_timed: bool,
    /// True if the pool has the kernel run the worker's fence.
    pub(crate) is_fenced_by_the_pool: bool,
}

impl<'a> Claims<'a> {
    pub(crate) fn new(board: &'a Board, seq: u64, count: usize, how: How) -> Self {
        let end = seq.saturating_add(count as u64);
        Self { board, seq, end, gate: None, how }
    }

    /// Begins the next call; false if there is none, or it was taken back and all behind it.
    #[inline]
    pub(crate) fn claim(&mut self) -> bool {
        if self.seq >= self.end {
            return false;
        }
        if self.how.is_timed {
            self.board.word(BEGUN).store(now(), Relaxed);
        }
        self.board.word(NEXT).store(self.seq + 1, Relaxed);
        if self.how.is_fenced_by_the_pool {
            compiler_fence(SeqCst);
        } else {
            fence(SeqCst);
        }
        let gate = self.board.word(GATE).load(Acquire);
        if self.gate != Some(gate) && !self.look_again() {
            return false;
        }
        self.seq += 1;
        true
    }

    /// Looks which calls were taken back; false if the next one was.
    #[cold]
    fn look_again(&mut self) -> bool {
        let (gate, taken) = taken_back(self.board);
        self.gate = Some(gate);
        if taken.contains(&self.seq) {
            self.end = self.seq;
        } else if taken.start > self.seq {
            self.end = self.end.min(taken.start);
        }
        self.seq < self.end
    }
}

/// Has the pool run this worker's fences, if it can; true if so. Said before the first call.
pub(crate) fn leave_fences(board: &Board) -> bool {
    let can = barrier::register();
    board.word(UNFENCED).store(can.into(), SeqCst);
    fence(SeqCst);
    can
}

/// What was taken back last, and the gate at that moment. Waits until it is open.
fn taken_back(board: &Board) -> (u64, Range<u64>) {
    let mut looks = 0;
    loop {
        let gate = board.word(GATE).load(Acquire);
        if gate.is_multiple_of(2) {
            let taken = board.word(FROM).load(Relaxed)..board.word(TO).load(Relaxed);
            fence(Acquire);
            if board.word(GATE).load(Relaxed) == gate {
                return (gate, taken);
            }
        }
        // The pool's thread is at it, but may have been put off its core, or stopped altogether.
        looks += 1;
        if looks < LOOKS {
            thread::yield_now();
        } else {
            thread::sleep(NAP);
        }
    }
}

/// Adds to how long the worker has been at calls.
pub(crate) fn add_busy(board: &Board, nanoseconds: u64) {
    let busy = board.word(BUSY);
    busy.store(busy.load(Relaxed) + nanoseconds, Relaxed);
}

/// Takes back all calls below `end` that were not begun, of which all below `begun` were. Returns the number of the first
/// of them. `taken` is what was taken back so far and may still be with the worker.
pub(crate) fn revoke(board: &Board, taken: &mut Option<Range<u64>>, begun: u64, end: u64) -> u64 {
    let gate = board.word(GATE).load(Relaxed) | 1;
    board.word(GATE).store(gate, SeqCst);
    if !barrier::heavy() && board.word(UNFENCED).load(SeqCst) != 0 {
        // It was possible once. What was begun cannot be known now, so all of it may have been.
        board.word(GATE).store(gate.wrapping_add(1), Release);
        return end;
    }
    // What stands there is believed within what was given only.
    let next = board.word(NEXT).load(Acquire);
    let first = behind(next, taken.as_ref()).clamp(begun, end);
    let from = match taken {
        // It has not come past that yet.
        Some(before) if next <= before.end => before.start.min(first),
        _ => first,
    };
    *taken = Some(from..end);
    board.word(FROM).store(from, Relaxed);
    board.word(TO).store(end, Relaxed);
    board.word(GATE).store(gate.wrapping_add(1), Release);
    first
}

/// What was to be begun next when `next` stood on the board: a worker that finds a call taken back has written it down.
pub(crate) fn behind(next: u64, taken_back: Option<&Range<u64>>) -> u64 {
    match taken_back {
        Some(taken) if taken.start < next && next <= taken.end => taken.start,
        _ => next,
    }
}

/// The number of the next call to begin, within what can be.
pub(crate) fn next(board: &Board, begun: u64, end: u64) -> u64 {
    board.word(NEXT).load(Acquire).clamp(begun, end)
}

/// What is to be begun next, within what can be, and when the call before that was begun.
pub(crate) fn progress(board: &Board, begun: u64, end: u64) -> (u64, u64) {
    let before = next(board, begun, end);
    let moment = board.word(BEGUN).load(Relaxed);
    // If it has just begun another one, there is no haste.
    (before, if next(board, begun, end) == before { moment } else { now() })
}

/// Asks the running call to stop, if `next` is still what is to be begun next.
pub(crate) fn ask_to_stop(board: &Board, next: u64) {
    board.word(STOP).store(next, Release);
}

/// True if the running call was asked to stop.
pub(crate) fn is_asked_to_stop(board: &Board) -> bool {
    let asked = board.word(STOP).load(Acquire);
    asked != 0 && asked == board.word(NEXT).load(Relaxed)
}

/// When the running call was begun.
pub(crate) fn begun(board: &Board) -> u64 {
    board.word(BEGUN).load(Relaxed)
}

/// How long the worker has been at calls, in nanoseconds.
pub(crate) fn busy(board: &Board) -> u64 {
    board.word(BUSY).load(Relaxed)
}

/// Nanoseconds on the clock that all processes of this machine share.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [How; 2] = [
        How { is_timed: false, is_fenced_by_the_pool: false },
        How { is_timed: true, is_fenced_by_the_pool: true },
    ];

    #[test]
    fn each_call_is_begun_or_taken_back() {
        let (board, _) = Board::new().unwrap();
        let how = How { is_timed: true, ..How::default() };
        let mut claims = Claims::new(&board, 0, 5, how);
        assert!(claims.claim() && claims.claim());
        assert_eq!(progress(&board, 0, 5).0, 2);
        let mut taken = None;
        assert_eq!(revoke(&board, &mut taken, 0, 5), 2);
        assert!(!claims.claim());
        assert_eq!(behind(next(&board, 0, 5), taken.as_ref()), 2, "that is not begun");
        // What is given next is numbered from where that ended.
        assert!(Claims::new(&board, 5, 1, how).claim());
        assert_eq!(revoke(&board, &mut taken, 5, 6), 6, "nothing is left");
    }

    #[test]
    fn what_was_taken_back_stays_so_when_more_is() {
        let (board, _) = Board::new().unwrap();
        let mut first = Claims::new(&board, 0, 3, How::default());
        assert!(first.claim());
        let mut taken = None;
        assert_eq!(revoke(&board, &mut taken, 0, 3), 1);
        // Given and taken back before the worker has seen anything of it.
        assert_eq!(revoke(&board, &mut taken, 3, 8), 3);
        assert_eq!(taken, Some(1..8));
        assert!(!first.claim() && !Claims::new(&board, 3, 5, How::default()).claim());
        let mut last = Claims::new(&board, 8, 2, How::default());
        assert!(last.claim() && last.claim() && !last.claim());
        assert_eq!(next(&board, 8, 10), 10);
    }

    #[test]
    fn order_that_is_partly_taken_back_ends_there() {
        let (board, _) = Board::new().unwrap();
        let mut claims = Claims::new(&board, 0, 4, How::default());
        assert_eq!(revoke(&board, &mut None, 2, 4), 2, "two were answered");
        assert!(claims.claim() && claims.claim() && !claims.claim());
    }

    #[test]
    fn threads_share_the_calls_out() {
        let is_registered = barrier::register();
        for how in BOTH {
            if how.is_fenced_by_the_pool && !is_registered {
                continue;
            }
            for _ in 0..20 {
                let (board, _) = Board::new().unwrap();
                let (begun, first) = thread::scope(|scope| {
                    let board = &board;
                    let worker = scope.spawn(move || {
                        let mut claims = Claims::new(board, 0, 10_000, how);
                        std::iter::repeat_with(|| claims.claim()).take_while(|begun| *begun).count()
                    });
                    let first = revoke(board, &mut None, 0, 10_000);
                    (worker.join().unwrap(), first)
                });
                assert_eq!(begun as u64, first);
            }
        }
    }

    /// As a pool does it: a few at a time are given, and what was not begun is taken back and given again.
    #[test]
    fn no_call_is_lost_or_begun_twice_however_often_calls_are_taken_back() {
        let is_registered = barrier::register();
        for how in BOTH {
            if how.is_fenced_by_the_pool && !is_registered {
                continue;
            }
            let (board, _) = Board::new().unwrap();
            let (give, given) = std::sync::mpsc::channel::<Range<u64>>();
            let (begun, kept) = thread::scope(|scope| {
                let board = &board;
                let worker = scope.spawn(move || {
                    let mut begun = Vec::new();
                    for order in given {
                        let count = (order.end - order.start) as usize;
                        let mut claims = Claims::new(board, order.start, count, how);
                        let mut seq = order.start;
                        while claims.claim() {
                            begun.push(seq);
                            seq += 1;
                        }
                    }
                    begun
                });
                let (mut kept, mut end, mut taken) = (Vec::new(), 0, None);
                for turn in 0..2000 {
                    let open = end;
                    for size in 1..=turn % 7 + 1 {
                        give.send(end..end + size).unwrap();
                        end += size;
                    }
                    let first = revoke(board, &mut taken, open, end);
                    kept.extend(open..first);
                }
                drop(give);
                (worker.join().unwrap(), kept)
            });
            assert_eq!(begun, kept);
        }
    }

    #[test]
    fn nonsense_is_not_believed() {
        let (board, _) = Board::new().unwrap();
        board.word(NEXT).store(u64::MAX, Release);
        board.word(GATE).store(u64::MAX, Release);
        assert_eq!(next(&board, 3, 7), 7);
        assert_eq!(revoke(&board, &mut None, 3, 7), 7);
    }

    #[test]
    fn only_the_call_that_was_meant_stops() {
        let (board, _) = Board::new().unwrap();
        let mut claims = Claims::new(&board, 0, 2, How::default());
        assert!(claims.claim());
        ask_to_stop(&board, 1);
        assert!(is_asked_to_stop(&board));
        assert!(claims.claim());
        assert!(!is_asked_to_stop(&board));
    }
}
