//! The processor time of putting and taking an item, by one thread: `cargo bench -p multiproc-queue`.
//!
//! It does not depend on what else runs. What several processes do with a queue is `cargo xtask bench queue`.
#![expect(clippy::unwrap_used, reason = "what fails here is a bench that says nothing")]
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::hint::black_box;

use multiproc_queue::{Plain, PlainVec, Queue};
use rustix::time::{ClockId, clock_gettime};

/// So many items are put before as many are taken.
const BATCH: usize = 1000;
const ROUNDS: usize = 9;

fn main() {
    let q = Queue::<u64, Plain>::new().unwrap();
    report("numbers", 500, || {
        (0..BATCH as u64).for_each(|number| q.put(number).unwrap());
        take(|| q.get().unwrap());
    });
    let q = Queue::<[u64; 8], Plain>::new().unwrap();
    report("64 bytes", 500, || {
        (0..BATCH as u64).for_each(|number| q.put([number; 8]).unwrap());
        take(|| q.get().unwrap());
    });
    let q = Queue::<u64>::new().unwrap();
    report("numbers by serde", 500, || {
        (0..BATCH as u64).for_each(|number| q.put(number % 100).unwrap());
        take(|| q.get().unwrap());
    });
    let q = Queue::<String>::new().unwrap();
    report("text", 200, || {
        (0..BATCH).for_each(|_| {
            q.put(black_box("forty characters of text, or about so").into()).unwrap()
        });
        take(|| q.get().unwrap());
    });
    let (q, page) = (Queue::<Vec<u8>, PlainVec>::new().unwrap(), vec![7; 4096]);
    report("pages", 20, || {
        (0..BATCH).for_each(|_| {
            q.put_ref(&page).unwrap();
            black_box(q.get().unwrap());
        });
    });
}

fn take<T>(mut get: impl FnMut() -> T) {
    for _ in 0..BATCH {
        black_box(get());
    }
}

/// Does `work` so many times, several rounds, and prints what the fastest took for each item.
fn report(name: &str, times: u32, mut work: impl FnMut()) {
    let round = |_| {
        let begin = seconds();
        (0..times).for_each(|_| work());
        (seconds() - begin) * 1e9 / (f64::from(times) * BATCH as f64)
    };
    let least = (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min);
    println!("{name:20} {least:7.1} ns to put and get");
}

/// Processor time of this thread.
fn seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
