//! A word that the kernel marks when a thread ends.
//!
//! It is the lock of a robust mutex of the C library which the thread takes and never gives back. However the thread ends
//! (by a signal, by exec, by the exit of its process), the kernel then sets [`OWNER_DIED`] in it and wakes one sleeper.

#![expect(unsafe_code, reason = "robust mutexes of the C library, in shared memory")]

use std::{ffi::c_long, mem::MaybeUninit, ptr, ptr::NonNull};

use rustix::thread::gettid;

use crate::{
    pending,
    primitive::{AtomicU32, Ordering},
};

/// What the kernel sets when the thread has ended.
pub const OWNER_DIED: u32 = libc::FUTEX_OWNER_DIED;

/// Room for the mutex, which is aligned to [`ALIGN`] bytes.
pub const SIZE: usize = 64;
/// What the mutex has to be aligned to.
pub const ALIGN: usize = 8;

const _: () = assert!(size_of::<libc::pthread_mutex_t>() <= SIZE);
const _: () = assert!(align_of::<libc::pthread_mutex_t>() <= ALIGN);

/// Makes a mutex at `place` and has the calling thread hold it until it ends; returns how many bytes behind `place` its
/// word stands, or none where the kernel does not watch this thread.
///
/// A forked child holds nothing of this.
///
/// # Safety
///
/// `place` is valid for [`SIZE`] bytes, aligned, and stays mapped for as long as the thread runs. Nobody else makes a
/// mutex there before the thread has ended. Others may read its word, as an atomic.
#[must_use]
pub unsafe fn hold_until_death(place: NonNull<u8>) -> Option<usize> {
    if !pending::is_watched() {
        return None;
    }
    let mutex = place.cast::<libc::pthread_mutex_t>().as_ptr();
    let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
    let attributes = attributes.as_mut_ptr();
    // SAFETY: Initialises the variable.
    let mut failed = unsafe { libc::pthread_mutexattr_init(attributes) };
    // SAFETY: Initialised above.
    failed |=
        unsafe { libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED) };
    // SAFETY: Initialised above.
    failed |= unsafe { libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST) };
    // SAFETY: By the contract of this function nobody else uses the mutex.
    failed |= unsafe { libc::pthread_mutex_init(mutex, attributes) };
    // SAFETY: Initialised above.
    unsafe { libc::pthread_mutexattr_destroy(attributes) };
    if failed != 0 {
        return None;
    }
    // SAFETY: Initialised above, and free.
    if unsafe { libc::pthread_mutex_lock(mutex) } != 0 {
        return None;
    }
    let offset = word_of_newest(place)?;
    let word = place.as_ptr().wrapping_add(offset).cast();
    // SAFETY: `word_of_newest` has seen to it that the word lies within the mutex and is aligned.
    let word = unsafe { AtomicU32::from_ptr(word) };
    // A self-test: the C library's copy of the thread id may be that of another process.
    let me = gettid().as_raw_nonzero().get().cast_unsigned();
    if word.load(Ordering::Relaxed) & libc::FUTEX_TID_MASK != me {
        return None;
    }
    // The kernel wakes only where this says that somebody sleeps.
    word.fetch_or(libc::FUTEX_WAITERS, Ordering::Release);
    Some(offset)
}

/// How many bytes behind `place` the kernel will look when it finds the mutex that this thread has taken last.
fn word_of_newest(place: NonNull<u8>) -> Option<usize> {
    #[repr(C)]
    struct Head {
        newest: *mut u8,
        futex_offset: c_long,
    }
    let (mut head, mut length) = (ptr::null::<Head>(), 0usize);
    // SAFETY: Stores this thread's list head and its size into the two variables.
    let known =
        unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut length) };
    if known != 0 || head.is_null() {
        return None;
    }
    // SAFETY: The head of this thread, which the C library changes only when this thread asks it to.
    let Head { newest, futex_offset } = unsafe { head.read() };
    let word = newest.addr().wrapping_add_signed(futex_offset as isize);
    let offset = word.wrapping_sub(place.as_ptr().addr());
    (offset <= SIZE - size_of::<u32>() && offset.is_multiple_of(align_of::<u32>()))
        .then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::futex;

    #[test]
    fn word_is_marked_when_the_thread_ends() {
        let room = NonNull::from(Box::leak(Box::new([0u64; SIZE / 8]))).cast::<u8>();
        let address = room.as_ptr().expose_provenance();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let room = NonNull::new(ptr::with_exposed_provenance_mut(address)).unwrap();
            // SAFETY: The room is leaked, and nobody else makes a mutex in it.
            tell.send(unsafe { hold_until_death(room) }).unwrap();
            let _ = wait.recv();
        });
        if let Some(offset) = told.recv().unwrap() {
            let word = room.as_ptr().wrapping_add(offset).cast();
            // SAFETY: Within the room.
            let word = unsafe { AtomicU32::from_ptr(word) };
            let held = word.load(Ordering::Acquire);
            assert_eq!(held & OWNER_DIED, 0);
            drop(go);
            while word.load(Ordering::Acquire) == held {
                let _ = futex::wait(word, held, None);
            }
            assert_ne!(word.load(Ordering::Acquire) & OWNER_DIED, 0);
        }
        thread.join().unwrap();
    }
}
