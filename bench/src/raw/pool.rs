//! Two forked workers over shared memory, and nothing around them: what a pool's work costs at least.
#![expect(unsafe_code, reason = "shares memory with forked children by raw pointers")]
#![expect(clippy::disallowed_types, reason = "nothing here may use what it is compared with")]

use std::{
    hint, io,
    ops::Range,
    os::fd::{AsFd, OwnedFd},
    ptr,
    sync::atomic::{
        AtomicU32, AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
    time::Instant,
};

use rustix::{
    fs::{MemfdFlags, memfd_create},
    mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap},
    net::{SocketType, sockopt::set_socket_send_buffer_size},
    thread::futex,
};

use super::{fork, talk};

/// How many workers there are.
const WORKERS: u64 = 2;

/// Atomic numbers in memory that forked children share.
struct Shared {
    // Invariant: points to a live shared mapping of `len` zeroed numbers, which only `drop` unmaps.
    words: *mut AtomicU64,
    len: usize,
}

impl Shared {
    fn new(len: usize) -> io::Result<Self> {
        let bytes = len * size_of::<AtomicU64>();
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: A new mapping at an address of the kernel's choice.
        let words = unsafe { mmap_anonymous(ptr::null_mut(), bytes, access, flags) }?;
        Ok(Self { words: words.cast(), len })
    }

    fn words(&self) -> &[AtomicU64] {
        // SAFETY: By the invariant; atomics may be shared with whoever else writes them.
        unsafe { std::slice::from_raw_parts(self.words, self.len) }
    }

    /// The lower half of a number, to sleep on.
    fn half(&self, at: usize) -> &AtomicU32 {
        let word = ptr::from_ref(&self.words()[at]).cast::<AtomicU32>();
        // SAFETY: Its first half, as aligned as it has to be, and an atomic too; nobody uses the whole beside it.
        unsafe { &*word }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: By the invariant; nobody borrows from it any more.
        let _ = unsafe { munmap(self.words.cast(), self.len * size_of::<AtomicU64>()) };
    }
}

const GO: usize = 0;
const NEXT: usize = 8;
const DONE: usize = 16;
const FIRST: usize = 24;

/// Squares so many numbers in two workers that wait for them, `portion` at a time; returns milliseconds.
pub(crate) fn squares(count: usize, portion: usize) -> io::Result<f64> {
    let shared = Shared::new(FIRST + count)?;
    for (word, number) in shared.words()[FIRST..].iter().zip(0..) {
        word.store(number, Relaxed);
    }
    let work = || {
        let words = shared.words();
        while words[GO].load(Acquire) == 0 {
            hint::spin_loop();
        }
        loop {
            let from = words[NEXT].fetch_add(portion as u64, AcqRel) as usize;
            if from >= count {
                return 0;
            }
            let range: Range<usize> = FIRST + from..FIRST + (from + portion).min(count);
            for word in &words[range.clone()] {
                let number = word.load(Relaxed);
                word.store(number.wrapping_mul(number), Relaxed);
            }
            words[DONE].fetch_add(range.len() as u64, AcqRel);
        }
    };
    let workers = (0..WORKERS).map(|_| fork::fork(work)).collect::<io::Result<Vec<_>>>()?;
    let started = Instant::now();
    shared.words()[GO].store(1, Release);
    while shared.words()[DONE].load(Acquire) < count as u64 {
        hint::spin_loop();
    }
    let results: Vec<u64> = shared.words()[FIRST..].iter().map(|word| word.load(Relaxed)).collect();
    let took = started.elapsed();
    workers.into_iter().try_for_each(fork::wait)?;
    assert_eq!(results[count - 1], (count as u64 - 1).pow(2));
    Ok(took.as_secs_f64() * 1e3)
}

/// A number there and back by spinning; microseconds.
pub(crate) fn spinning_exchange(count: u32) -> io::Result<f64> {
    let shared = Shared::new(FIRST)?;
    let worker = fork::fork(|| {
        let words = shared.words();
        for turn in 1..=u64::from(count) {
            while words[GO].load(Acquire) != turn {
                hint::spin_loop();
            }
            words[DONE].store(turn, Release);
        }
        0
    })?;
    let started = Instant::now();
    for turn in 1..=u64::from(count) {
        shared.words()[GO].store(turn, Release);
        while shared.words()[DONE].load(Acquire) != turn {
            hint::spin_loop();
        }
    }
    let took = started.elapsed();
    fork::wait(worker)?;
    Ok(took.as_secs_f64() * 1e6 / f64::from(count))
}

/// A futex there and back, both sides parked before; microseconds, the median.
pub(crate) fn parked_exchange(count: u32, pause: impl Fn()) -> io::Result<Vec<f64>> {
    let shared = Shared::new(FIRST)?;
    let worker = fork::fork(|| {
        for turn in 1..=count {
            wait_for(shared.half(GO), turn);
            set(shared.half(DONE), turn);
        }
        0
    })?;
    let mut figures = Vec::new();
    for turn in 1..=count {
        pause();
        let started = Instant::now();
        set(shared.half(GO), turn);
        wait_for(shared.half(DONE), turn);
        figures.push(started.elapsed().as_secs_f64() * 1e6);
    }
    fork::wait(worker)?;
    Ok(figures)
}

fn wait_for(word: &AtomicU32, turn: u32) {
    loop {
        match word.load(Acquire) {
            now if now == turn => return,
            now => drop(futex::wait(word, futex::Flags::empty(), now, None)),
        }
    }
}

fn set(word: &AtomicU32, turn: u32) {
    word.store(turn, Release);
    let _ = futex::wake(word, futex::Flags::empty(), 1);
}

/// Bytes to a worker and back through a socket with large buffers; milliseconds.
pub(crate) fn bytes_there_and_back(bytes: &[u8]) -> io::Result<f64> {
    let child = |socket: &OwnedFd| {
        set_socket_send_buffer_size(socket, 4 << 20)?;
        let mut there = vec![0; bytes.len()];
        talk::take(socket.as_fd(), &mut there)?;
        talk::put(socket.as_fd(), &there)
    };
    talk::with_child(SocketType::STREAM, None, child, |socket| {
        set_socket_send_buffer_size(socket, 4 << 20)?;
        let started = Instant::now();
        talk::put(socket, bytes)?;
        let mut back = vec![0; bytes.len()];
        talk::take(socket, &mut back)?;
        Ok(started.elapsed().as_secs_f64() * 1e3)
    })
}

/// The sum of the numbers that so many bytes are.
pub(crate) fn add_up(bytes: &[u8]) -> u64 {
    let (numbers, _) = bytes.as_chunks::<8>();
    numbers.iter().fold(0, |sum, number| sum.wrapping_add(u64::from_ne_bytes(*number)))
}

/// Maps so many bytes of sevens that another mapping has made, sums them up, and once more; milliseconds.
pub(crate) fn map_and_sum(len: usize, expected: u64) -> io::Result<[f64; 2]> {
    let file = memfd_create(c"sevens", MemfdFlags::CLOEXEC)?;
    let mut rest = len;
    while rest > 0 {
        let sevens = [7u64; 8192].map(u64::to_ne_bytes);
        let sevens = sevens.as_flattened();
        rest -= rustix::io::write(&file, &sevens[..rest.min(sevens.len())])?;
    }
    let started = Instant::now();
    // SAFETY: A new mapping at an address of the kernel's choice.
    let numbers =
        unsafe { mmap(ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, &file, 0) }?;
    // SAFETY: Mapped until the end of this function, and nobody writes to it.
    let slice = unsafe { std::slice::from_raw_parts(numbers.cast::<u8>(), len) };
    assert_eq!(add_up(hint::black_box(slice)), expected);
    let first = started.elapsed();
    let started = Instant::now();
    assert_eq!(add_up(hint::black_box(slice)), expected);
    let second = started.elapsed();
    // SAFETY: Nobody borrows from it any more.
    unsafe { munmap(numbers, len) }?;
    Ok([first, second].map(|took| took.as_secs_f64() * 1e3))
}

/// Forks so many children that exit at once, then waits for them; milliseconds.
pub(crate) fn forks(count: u32) -> io::Result<f64> {
    let started = Instant::now();
    let children = (0..count).map(|_| fork::fork(|| 0)).collect::<io::Result<Vec<_>>>()?;
    children.into_iter().try_for_each(fork::wait)?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}
