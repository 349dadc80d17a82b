//! Locks and wake-ups by the bare kernel and the C library.

#![expect(unsafe_code, reason = "memory shared by hand, mutexes of the C library")]
#![expect(clippy::disallowed_types, reason = "the raw limit stands on std alone")]

use std::{
    hint::{black_box, spin_loop},
    io,
    ptr::null_mut,
    sync::atomic::{
        AtomicU32,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
    time::{Duration, Instant},
};

use rustix::{
    mm::{MapFlags, ProtFlags, mmap_anonymous},
    thread::futex::{self, Flags},
};

use super::fork;
use crate::machine::{now_us, pin_to_number};

/// A new page that children share. It is never given back: a round needs one or two.
fn page() -> io::Result<*mut u8> {
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    // SAFETY: A new mapping, at an address of the kernel's choice.
    Ok(unsafe { mmap_anonymous(null_mut(), 4096, protection, flags) }?.cast())
}

/// The words of a page, each on a line of its own.
fn words() -> io::Result<[&'static AtomicU32; 4]> {
    let page = page()?;
    Ok([0, 128, 256, 384].map(|offset| {
        let word = page.wrapping_add(offset).cast();
        // SAFETY: Within the page, which is never unmapped and used by atomics only.
        unsafe { AtomicU32::from_ptr(word) }
    }))
}

/// Nanoseconds for taking and giving back the cheapest lock there is.
pub(crate) fn compare_exchange_pair(count: u32) -> io::Result<f64> {
    let [word, ..] = words()?;
    let begin = Instant::now();
    for _ in 0..count {
        let taken = black_box(word).compare_exchange(0, 1, Acquire, Relaxed);
        black_box(taken.is_ok());
        black_box(word).swap(0, Release);
    }
    Ok(begin.elapsed().as_secs_f64() * 1e9 / f64::from(count))
}

/// A robust mutex that processes share.
fn robust() -> io::Result<*mut libc::pthread_mutex_t> {
    let mutex = page()?.cast::<libc::pthread_mutex_t>();
    let mut attributes = std::mem::MaybeUninit::uninit();
    let attributes = attributes.as_mut_ptr();
    // SAFETY: Initializes the variable.
    unsafe { libc::pthread_mutexattr_init(attributes) };
    // SAFETY: Initialized above.
    unsafe { libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED) };
    // SAFETY: Initialized above.
    unsafe { libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST) };
    // SAFETY: The page is ours, and large and aligned enough.
    unsafe { libc::pthread_mutex_init(mutex, attributes) };
    Ok(mutex)
}

/// Nanoseconds for taking and giving back a robust mutex.
pub(crate) fn robust_pair(count: u32) -> io::Result<f64> {
    let mutex = robust()?;
    let begin = Instant::now();
    for _ in 0..count {
        // SAFETY: Initialized, and held by nobody.
        unsafe { libc::pthread_mutex_lock(black_box(mutex)) };
        // SAFETY: Held by this thread.
        unsafe { libc::pthread_mutex_unlock(black_box(mutex)) };
    }
    Ok(begin.elapsed().as_secs_f64() * 1e9 / f64::from(count))
}

fn lock(word: &AtomicU32) {
    for _ in 0..100 {
        if word.compare_exchange(0, 1, Acquire, Relaxed).is_ok() {
            return;
        }
        spin_loop();
    }
    while word.swap(2, Acquire) != 0 {
        let _ = futex::wait(word, Flags::empty(), 2, None);
    }
}

fn unlock(word: &AtomicU32) {
    if word.swap(0, Release) == 2 {
        let _ = futex::wake(word, Flags::empty(), 1);
    }
}

/// Millions of additions a second by two processes under a lock that spins, then sleeps.
pub(crate) fn counter(count: u32) -> io::Result<f64> {
    let [word, sum, go, _] = words()?;
    let add = || {
        for _ in 0..count {
            lock(word);
            sum.store(sum.load(Relaxed) + 1, Relaxed);
            unlock(word);
        }
    };
    let other = fork::fork(|| {
        let _ = pin_to_number(1);
        while go.load(Acquire) == 0 {
            spin_loop();
        }
        add();
        0
    })?;
    let _ = pin_to_number(0);
    std::thread::sleep(Duration::from_millis(5));
    let begin = Instant::now();
    go.store(1, Release);
    add();
    fork::wait(other)?;
    Ok(f64::from(sum.load(Relaxed)) / begin.elapsed().as_secs_f64() / 1e6)
}

/// Waits until a word is 1, and makes it 0.
fn take(word: &AtomicU32, spins: u32) {
    for _ in 0..spins {
        if word.load(Acquire) == 1 {
            break;
        }
        spin_loop();
    }
    while word.compare_exchange(1, 0, AcqRel, Relaxed).is_err() {
        let _ = futex::wait(word, Flags::empty(), 0, None);
    }
}

fn give(word: &AtomicU32) {
    word.store(1, Release);
    let _ = futex::wake(word, Flags::empty(), 1);
}

/// Microseconds there and back, by waiting and waking on two words.
pub(crate) fn round_trip(count: u32, cross: bool) -> io::Result<f64> {
    let [there, back, ..] = words()?;
    let spins = if cross { 2000 } else { 0 };
    let _ = pin_to_number(0);
    let other = fork::fork(|| {
        let _ = pin_to_number(usize::from(cross));
        for _ in 0..count {
            take(there, spins);
            give(back);
        }
        0
    })?;
    let begin = Instant::now();
    for _ in 0..count {
        give(there);
        take(back, spins);
    }
    let figure = begin.elapsed().as_secs_f64() * 1e6 / f64::from(count);
    fork::wait(other)?;
    Ok(figure)
}

/// Microseconds from the death of who holds a robust mutex until a parked waiter owns it.
pub(crate) fn death() -> io::Result<f64> {
    let (mutex, [ready, low, high, _]) = (robust()?, words()?);
    let holder = fork::fork(|| {
        // SAFETY: Initialized.
        unsafe { libc::pthread_mutex_lock(mutex) };
        ready.store(1, Release);
        std::thread::sleep(Duration::from_secs(60));
        0
    })?;
    while ready.load(Acquire) == 0 {
        spin_loop();
    }
    let waiter = fork::fork(|| {
        // SAFETY: Initialized.
        unsafe { libc::pthread_mutex_lock(mutex) };
        let now = now_us();
        low.store((now * 1000.0) as u64 as u32, Relaxed);
        high.store(((now * 1000.0) as u64 >> 32) as u32, Release);
        0
    });
    std::thread::sleep(Duration::from_millis(3));
    let killed = now_us();
    fork::kill(holder);
    waiter.and_then(fork::wait)?;
    let owned = (u64::from(high.load(Acquire)) << 32) | u64::from(low.load(Relaxed));
    Ok(owned as f64 / 1000.0 - killed)
}
