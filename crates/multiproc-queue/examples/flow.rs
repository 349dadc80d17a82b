//! Items a second through a queue and through a bare ring of shared slots, in the same run: `cargo bench -p multiproc-queue`.
#![expect(unsafe_code, reason = "forks, and a bare ring to compare with")]
#![expect(clippy::unwrap_used, reason = "what fails here is a bench that says nothing")]
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::{hint::spin_loop, ptr, time::Instant};

use multiproc_queue::{Plain, PlainVec, Queue};
use multiproc_sys::primitive::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
};
use rustix::{
    process::{Pid, WaitOptions, waitpid},
    thread::{CpuSet, futex, sched_setaffinity},
};

const ROUNDS: usize = 5;

fn main() {
    multiproc_image::entry::init();
    let only = std::env::args().nth(1).unwrap_or_default();
    let gib = |bytes: f64| bytes / f64::from(1 << 30);
    if only.contains('s') {
        flow("1p1c.serde, M/s", 1, 1, 2_000_000, 1e-6, numbers_by_serde, raw::<1>);
    }
    if only.contains('p') {
        flow("1p1c.plain, M/s", 1, 1, 6_000_000, 1e-6, numbers, raw::<1>);
    }
    if only.contains('2') {
        flow("2p2c, M/s", 2, 2, 8_000_000, 1e-6, numbers, raw::<1>);
    }
    if only.contains('4') {
        flow("4p4c, M/s", 4, 4, 8_000_000, 1e-6, numbers, raw::<1>);
    }
    if only.contains('b') {
        flow("64b, M/s", 1, 1, 4_000_000, 1e-6, arrays::<64>, raw::<8>);
    }
    if only.contains('k') {
        flow("4k, GiB/s", 1, 1, 1_000_000, gib(4096.0), arrays::<4096>, raw::<512>);
    }
    if only.contains('m') {
        flow("1m, GiB/s", 1, 1, 5_000, gib(f64::from(1 << 20)), vectors, raw::<{ 1 << 17 }>);
    }
    if only.contains('o') {
        trip("roundtrip.onecore, us", false);
    }
    if only.contains('x') {
        trip("roundtrip.cross, us", true);
    }
}

/// What one process of a flow does: puts or takes so many items.
type Work = Box<dyn Fn(bool, u64)>;

fn numbers() -> Work {
    let q = Queue::<u64, Plain>::new().unwrap();
    Box::new(move |puts, count| {
        for number in 0..count {
            if puts {
                q.put(number).unwrap()
            } else {
                std::hint::black_box(q.get().unwrap());
            }
        }
    })
}

fn numbers_by_serde() -> Work {
    let q = Queue::<u64>::new().unwrap();
    Box::new(move |puts, count| {
        for number in 0..count {
            if puts {
                q.put(number % 100).unwrap()
            } else {
                std::hint::black_box(q.get().unwrap());
            }
        }
    })
}

fn arrays<const N: usize>() -> Work {
    let q = Queue::<[u8; N], Plain>::new().unwrap();
    Box::new(move |puts, count| {
        for number in 0..count {
            if puts {
                q.put([number as u8; N]).unwrap();
            } else {
                std::hint::black_box(q.get().unwrap());
            }
        }
    })
}

fn vectors() -> Work {
    let q = Queue::<Vec<u8>, PlainVec>::new().unwrap();
    Box::new(move |puts, count| {
        let item = vec![7; 1 << 20];
        for _ in 0..count {
            if puts {
                q.put_ref(&item).unwrap();
            } else {
                std::hint::black_box(q.get().unwrap());
            }
        }
    })
}

/// A slot of the bare ring: whose turn it is, and words.
#[repr(C, align(64))]
struct Slot<const W: usize> {
    turn: AtomicU64,
    words: [u64; W],
}

/// The bare ring: many producers, many consumers, busy polling, no liveness.
fn raw<const W: usize>() -> Work {
    let slots = (1 << 18 >> (W * 8).ilog2().min(16)).max(4);
    let size = slots * size_of::<Slot<W>>();
    let ends: &'static [AtomicU64] = shared(32);
    let (head, tail) = (&ends[0], &ends[16]);
    let base = shared::<u8>(size).as_ptr().addr();
    let slot = move |at: u64| {
        let index = (at as usize) % slots;
        ptr::with_exposed_provenance_mut::<Slot<W>>(base + index * size_of::<Slot<W>>())
    };
    for at in 0..slots as u64 {
        // SAFETY: Shared memory that nobody else has yet.
        unsafe { (*slot(at)).turn.store(at, Relaxed) };
    }
    Box::new(move |puts, count| {
        let mut buffer = vec![7u64; W];
        for _ in 0..count {
            let end = if puts { head } else { tail };
            let mut looks = 0;
            let at = loop {
                let at = end.load(Relaxed);
                // SAFETY: The turn is only accessed as an atomic.
                let turn = unsafe { (*slot(at)).turn.load(Acquire) };
                if turn == at + u64::from(!puts)
                    && end.compare_exchange(at, at + 1, SeqCst, Relaxed).is_ok()
                {
                    break at;
                }
                looks += 1;
                if looks % 1000 == 0 { std::thread::yield_now() } else { spin_loop() }
            };
            let place = slot(at);
            // SAFETY: It is our turn.
            let words = unsafe { &raw mut (*place).words }.cast::<u64>();
            if puts {
                // SAFETY: As above.
                unsafe { ptr::copy_nonoverlapping(buffer.as_ptr(), words, W) };
            } else {
                // SAFETY: As above.
                unsafe { ptr::copy_nonoverlapping(words, buffer.as_mut_ptr(), W) };
                std::hint::black_box(&buffer);
            }
            let next = if puts { at + 1 } else { at + slots as u64 };
            // SAFETY: The turn is only accessed as an atomic.
            unsafe { (*place).turn.store(next, Release) };
        }
    })
}

/// Zeroed memory that forked children share; never given back.
fn shared<T>(count: usize) -> &'static [T] {
    let flags = rustix::mm::MapFlags::SHARED | rustix::mm::MapFlags::POPULATE;
    let access = rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::WRITE;
    let size = (count * size_of::<T>()).max(1);
    // SAFETY: A new mapping.
    let memory = unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), size, access, flags) };
    let memory = memory.unwrap();
    memory.expose_provenance();
    // SAFETY: Zeroed, aligned to a page, never unmapped; callers take atomics or bytes.
    unsafe { std::slice::from_raw_parts(memory.cast(), count) }
}

/// Forks a process that runs on one core.
fn child(core: usize, work: impl FnOnce()) -> Pid {
    // SAFETY: This program has one thread.
    match unsafe { libc::fork() } {
        0 => {
            pin(core);
            work();
            // SAFETY: Ends the process.
            unsafe { libc::_exit(0) }
        }
        pid => Pid::from_raw(pid).unwrap(),
    }
}

fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    let _ = sched_setaffinity(None, &set);
}

fn wait(children: Vec<Pid>) {
    for child in children {
        let (_, status) = waitpid(Some(child), WaitOptions::empty()).unwrap().unwrap();
        assert_eq!(status.exit_status(), Some(0));
    }
}

fn seconds(producers: u64, consumers: u64, count: u64, work: &Work) -> f64 {
    let go: &AtomicU32 = &shared::<AtomicU32>(1)[0];
    let mut children = Vec::new();
    for number in 0..producers + consumers {
        let puts = number < producers;
        let share = count / if puts { producers } else { consumers };
        children.push(child(usize::from(!puts), || {
            go.fetch_add(1, SeqCst);
            while u64::from(go.load(SeqCst)) < producers + consumers + 1 {
                std::thread::yield_now();
            }
            work(puts, share);
        }));
    }
    while u64::from(go.load(SeqCst)) < producers + consumers {
        std::thread::yield_now();
    }
    let start = Instant::now();
    go.fetch_add(1, SeqCst);
    wait(children);
    start.elapsed().as_secs_f64()
}

fn flow(
    name: &str,
    producers: u64,
    consumers: u64,
    count: u64,
    unit: f64,
    ours: impl Fn() -> Work,
    limit: impl Fn() -> Work,
) {
    let rate = |work: Work| count as f64 * unit / seconds(producers, consumers, count, &work);
    let (mut found, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        found.push(rate(ours()));
        bare.push(rate(limit()));
    }
    report(name, median(found), median(bare));
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn report(name: &str, ours: f64, bare: f64) {
    println!("{name:24} {ours:8.3}   bare {bare:8.3}   {:.2}x", ours / bare);
}

const TRIPS: u64 = 100_000;

/// There and back, on one core or two.
fn trip(name: &str, cross: bool) {
    let (mut found, mut bare) = (Vec::new(), Vec::new());
    let other = usize::from(cross);
    pin(0);
    for _ in 0..ROUNDS {
        let (there, back) =
            (Queue::<u64, Plain>::new().unwrap(), Queue::<u64, Plain>::new().unwrap());
        let echo =
            child(other, || (0..TRIPS).for_each(|_| back.put(there.get().unwrap()).unwrap()));
        let start = Instant::now();
        for number in 0..TRIPS {
            there.put(number).unwrap();
            back.get().unwrap();
        }
        found.push(start.elapsed().as_secs_f64() * 1e6 / TRIPS as f64);
        wait(vec![echo]);

        let words: &'static [AtomicU32] = shared(64);
        let (there, back) = (&words[0], &words[32]);
        let spins = if cross { 2000 } else { 0 };
        let echo = child(other, || {
            (0..TRIPS).for_each(|_| {
                take(there, spins);
                give(back);
            })
        });
        let start = Instant::now();
        for _ in 0..TRIPS {
            give(there);
            take(back, spins);
        }
        bare.push(start.elapsed().as_secs_f64() * 1e6 / TRIPS as f64);
        wait(vec![echo]);
    }
    report(name, median(found), median(bare));
}

fn give(word: &AtomicU32) {
    if word.swap(1, SeqCst) == 2 {
        let _ = futex::wake(word, futex::Flags::empty(), 1);
    }
}

fn take(word: &AtomicU32, spins: u32) {
    for _ in 0..spins {
        if word.load(Acquire) == 1 {
            break;
        }
        spin_loop();
    }
    while word.compare_exchange(1, 0, SeqCst, Relaxed).is_err() {
        if word.compare_exchange(0, 2, SeqCst, Relaxed).is_ok() || word.load(SeqCst) == 2 {
            let _ = futex::wait(word, futex::Flags::empty(), 2, None);
            let _ = word.compare_exchange(2, 0, SeqCst, Relaxed);
        }
    }
}
