//! Which call a worker is at.
//!
//! All calls that a worker is ever given are numbered. Its board holds the number of the next one to begin. The worker
//! begins a call by raising it by one; the pool takes back what was not begun by raising it to the end of what it has
//! given. Both do it by one compare-and-exchange, so each call is begun by the worker or taken back, never both, and a
//! worker that dies at any instruction has left the number behind.

use multiproc_sys::{
    board::Board,
    primitive::Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use rustix::time::{ClockId, clock_gettime};

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

/// The calls of one order that a worker may begin.
pub(crate) struct Claims<'a> {
    board: &'a Board,
    seq: u64,
    end: u64,
    /// True if the moment is to be noted.
    is_timed: bool,
}

impl<'a> Claims<'a> {
    pub(crate) fn new(board: &'a Board, seq: u64, count: usize, is_timed: bool) -> Self {
        let end = seq.saturating_add(count as u64);
        Self { board, seq, end, is_timed }
    }

    /// Begins the next call; false if there is none, or it was taken back and all behind it.
    #[inline]
    pub(crate) fn claim(&mut self) -> bool {
        if self.seq >= self.end {
            return false;
        }
        if self.is_timed {
            self.board.word(BEGUN).store(now(), Relaxed);
        }
        let (seq, next) = (self.seq, self.board.word(NEXT));
        if next.compare_exchange(seq, seq + 1, AcqRel, Acquire).is_err() {
            self.end = seq;
            return false;
        }
        self.seq += 1;
        true
    }
}

/// Adds to how long the worker has been at calls.
pub(crate) fn add_busy(board: &Board, nanoseconds: u64) {
    let busy = board.word(BUSY);
    busy.store(busy.load(Relaxed) + nanoseconds, Relaxed);
}

/// Takes back all calls below `end` that were not begun; returns the number of the first of them.
pub(crate) fn revoke(board: &Board, begun: u64, end: u64) -> u64 {
    let next = board.word(NEXT);
    let mut seen = next.load(Acquire);
    loop {
        // What stands there is believed within what was given only.
        let first = seen.clamp(begun, end);
        match next.compare_exchange(seen, end, AcqRel, Acquire) {
            Ok(_) => return first,
            Err(now) => seen = now,
        }
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

    #[test]
    fn each_call_is_begun_or_taken_back() {
        let (board, _) = Board::new().unwrap();
        let mut claims = Claims::new(&board, 0, 5, true);
        assert!(claims.claim() && claims.claim());
        assert_eq!(progress(&board, 0, 5).0, 2);
        assert_eq!(revoke(&board, 0, 5), 2);
        assert!(!claims.claim());
        // What is given next is numbered from where that ended.
        assert!(Claims::new(&board, 5, 1, false).claim());
        assert_eq!(revoke(&board, 5, 6), 6, "nothing is left");
    }

    #[test]
    fn threads_share_the_calls_out() {
        for _ in 0..20 {
            let (board, _) = Board::new().unwrap();
            let (begun, first) = std::thread::scope(|scope| {
                let board = &board;
                let worker = scope.spawn(move || {
                    let mut claims = Claims::new(board, 0, 10_000, false);
                    std::iter::repeat_with(|| claims.claim()).take_while(|begun| *begun).count()
                });
                let first = revoke(board, 0, 10_000);
                (worker.join().unwrap(), first)
            });
            assert_eq!(begun as u64, first);
        }
    }

    #[test]
    fn nonsense_is_not_believed() {
        let (board, _) = Board::new().unwrap();
        board.word(NEXT).store(u64::MAX, Release);
        assert_eq!(next(&board, 3, 7), 7);
        assert_eq!(revoke(&board, 3, 7), 7);
    }

    #[test]
    fn only_the_call_that_was_meant_stops() {
        let (board, _) = Board::new().unwrap();
        let mut claims = Claims::new(&board, 0, 2, false);
        assert!(claims.claim());
        ask_to_stop(&board, 1);
        assert!(is_asked_to_stop(&board));
        assert!(claims.claim());
        assert!(!is_asked_to_stop(&board));
    }
}
