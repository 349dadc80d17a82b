//! A bare ring in shared memory: many producers, many consumers, busy polling. Nobody sleeps, and a death hangs it.

#![expect(unsafe_code, reason = "memory shared by hand")]
#![expect(clippy::disallowed_types, reason = "the raw limit stands on std alone")]

use std::{
    hint::{black_box, spin_loop},
    io,
    ptr::{copy_nonoverlapping, null_mut},
    sync::atomic::{
        AtomicU32, AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
};

use rustix::{
    mm::{MapFlags, ProtFlags, mmap_anonymous, munmap},
    thread::futex::{self, Flags},
};

use super::fork;
use crate::machine::{now_us, pin_to_number};

/// Items one way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    /// The length of an item.
    pub(crate) bytes: usize,
    /// How many processes put, and how many take.
    pub(crate) pairs: usize,
    /// How many items each of them.
    pub(crate) share: u32,
}

/// Microseconds from the word to go until the last item has been taken.
pub(crate) fn ring_flow(flow: Flow) -> io::Result<f64> {
    let ring = Ring::new(flow.bytes)?;
    let [go, ends @ ..] = ring.words();
    let mut children = Vec::new();
    for end in &ends[..flow.pairs] {
        children.push(fork::fork(|| {
            let result = pin_to_number(1).map(|()| ring.take(flow.share));
            end.store(now_us() as u64, Release);
            libc::c_int::from(result.is_err())
        })?);
        children.push(fork::fork(|| {
            let result = pin_to_number(0).map(|()| {
                while go.load(Acquire) == 0 {
                    std::thread::yield_now();
                }
                ring.put(flow.share);
            });
            libc::c_int::from(result.is_err())
        })?);
    }
    // Until all have taken their seats.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let begin = now_us();
    go.store(1, Release);
    children.into_iter().try_for_each(fork::wait)?;
    let end = ends.iter().map(|end| end.load(Acquire)).max().unwrap_or(0);
    Ok(end as f64 - begin)
}

/// How often one looks before it sleeps, where the other runs on another core.
const SPINS: u32 = 2000;

/// Microseconds there and back by two words: a waiter spins where that can help, then sleeps, and is woken only then.
pub(crate) fn word_trip(count: u32, cross: bool) -> io::Result<f64> {
    let ring = Ring::new(8)?;
    let [there, back, ..] = ring.words().map(|word| {
        // SAFETY: Half of a word that is used in no other way.
        unsafe { AtomicU32::from_ptr(word.as_ptr().cast()) }
    });
    let spins = if cross { SPINS } else { 0 };
    let _ = pin_to_number(0);
    let child = fork::fork(|| {
        let _ = pin_to_number(usize::from(cross));
        for _ in 0..count {
            wait_for(there, spins);
            give(back);
        }
        0
    })?;
    let begin = now_us();
    for _ in 0..count {
        give(there);
        wait_for(back, spins);
    }
    let figure = (now_us() - begin) / f64::from(count);
    fork::wait(child)?;
    Ok(figure)
}

const EMPTY: u32 = 0;
const GIVEN: u32 = 1;
const ASLEEP: u32 = 2;

fn give(word: &AtomicU32) {
    if word.swap(GIVEN, AcqRel) == ASLEEP {
        let _ = futex::wake(word, Flags::empty(), 1);
    }
}

fn wait_for(word: &AtomicU32, spins: u32) {
    for _ in 0..spins {
        if word.load(Acquire) == GIVEN {
            break;
        }
        spin_loop();
    }
    while word.load(Acquire) != GIVEN {
        let _ = word.compare_exchange(EMPTY, ASLEEP, AcqRel, Relaxed);
        let _ = futex::wait(word, Flags::empty(), ASLEEP, None);
    }
    word.store(EMPTY, Release);
}

/// Slots, each with a word that says whose turn it is, and an item.
struct Ring {
    // Invariant: `size` bytes that are mapped until this is dropped, the page of words first.
    memory: *mut u8,
    size: usize,
    slots: u64,
    /// From one slot to the next.
    stride: usize,
    bytes: usize,
}

const PAGE: usize = 4096;
/// What the ring may take, so that it stays in the processor's cache; four items at least.
const ROOM: usize = 256 << 10;
/// The words of the first page lie so far apart.
const APART: usize = 128;
/// How often one looks before another process gets the core.
const LOOKS: u32 = 200;

impl Ring {
    fn new(bytes: usize) -> io::Result<Self> {
        // Slots of one number lie close together, four a line; longer items begin on a line.
        let stride = if bytes <= 8 { 16 } else { (8 + bytes).next_multiple_of(64) };
        let slots = (ROOM / stride).max(4).next_power_of_two();
        let size = PAGE + slots * stride;
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: A new mapping, at an address of the kernel's choice.
        let memory = unsafe { mmap_anonymous(null_mut(), size, protection, flags) }?.cast();
        let ring = Self { memory, size, slots: slots as u64, stride, bytes };
        for at in 0..ring.slots {
            ring.turn(at).store(at, Relaxed);
        }
        Ok(ring)
    }

    /// The words of the first page that the ring itself does not need.
    fn words(&self) -> [&AtomicU64; 9] {
        [2, 3, 4, 5, 6, 7, 8, 9, 10].map(|number| self.word(number * APART))
    }

    fn word(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: By the invariant of `memory`: offsets are below `size` and multiples of eight.
        unsafe { AtomicU64::from_ptr(self.memory.wrapping_add(offset).cast()) }
    }

    fn offset(&self, at: u64) -> usize {
        PAGE + (at & (self.slots - 1)) as usize * self.stride
    }

    fn turn(&self, at: u64) -> &AtomicU64 {
        self.word(self.offset(at))
    }

    fn item(&self, at: u64) -> *mut u8 {
        self.memory.wrapping_add(self.offset(at) + 8)
    }

    fn put(&self, count: u32) {
        let item = vec![7u8; self.bytes];
        for _ in 0..count {
            let at = self.claim(self.word(0), 0);
            // SAFETY: The slot is this process's until it says otherwise.
            unsafe { copy_nonoverlapping(black_box(item.as_ptr()), self.item(at), self.bytes) };
            self.turn(at).store(at + 1, Release);
        }
    }

    fn take(&self, count: u32) {
        let mut item = vec![0u8; self.bytes];
        for _ in 0..count {
            let at = self.claim(self.word(APART), 1);
            // SAFETY: As in `put`.
            unsafe { copy_nonoverlapping(self.item(at), item.as_mut_ptr(), self.bytes) };
            black_box(&item);
            self.turn(at).store(at + self.slots, Release);
        }
    }

    /// Waits for the turn of the next slot and takes it.
    #[inline]
    fn claim(&self, next: &AtomicU64, turn: u64) -> u64 {
        let mut looks = 0;
        loop {
            let at = next.load(Relaxed);
            if self.turn(at).load(Acquire) == at + turn
                && next.compare_exchange(at, at + 1, Relaxed, Relaxed).is_ok()
            {
                return at;
            }
            looks += 1;
            if looks % LOOKS == 0 {
                std::thread::yield_now();
            } else {
                spin_loop();
            }
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: By the invariant of `memory`; nobody uses it any more.
        let _ = unsafe { munmap(self.memory.cast(), self.size) };
    }
}
