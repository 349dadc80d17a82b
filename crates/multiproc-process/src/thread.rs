//! Threads that a process waits for before it exits.
//!
//! A thread of std's is cut off when its process exits. One started here is waited for, in the main process when it
//! exits and in a child when its function has returned, unless it is a daemon.

use std::{
    io,
    sync::Mutex,
    thread::{self, JoinHandle},
};

use multiproc_image::{after_fork::ForkLocal, exit::Finalizer};
use multiproc_sys::primitive::{AtomicBool, Ordering};

struct Threads {
    running: Mutex<Vec<JoinHandle<()>>>,
    armed: AtomicBool,
}

static THREADS: ForkLocal<Threads> =
    ForkLocal::new(|_| Threads { running: Mutex::new(Vec::new()), armed: AtomicBool::new(false) });

/// Starts a thread that this process waits for before it exits.
///
/// # Errors
///
/// `EAGAIN` where no more threads can be made.
///
/// # Python
///
/// `threading.Thread(target=…).start()`. For a daemon thread use [`std::thread::spawn`].
///
/// # Examples
///
/// ```
/// multiproc_process::thread::spawn(|| println!("written, however soon main returns"))?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn spawn(body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let handle = thread::Builder::new().spawn(body)?;
    let threads = THREADS.get();
    if let Ok(mut running) = threads.running.lock() {
        running.retain(|thread| !thread.is_finished());
        running.push(handle);
    }
    if !threads.armed.swap(true, Ordering::AcqRel) {
        // Before every other finalizer: what a thread uses is still there.
        Finalizer::with_priority(i32::MAX, join_all).keep();
    }
    Ok(())
}

/// Waits for all threads started here, those started meanwhile included.
pub(crate) fn join_all() {
    loop {
        let threads = THREADS.get_if_made();
        let next =
            threads.and_then(|threads| threads.running.lock().ok()).and_then(|mut running| {
                // One that ends the process does not wait for itself.
                running.retain(|thread| thread.thread().id() != thread::current().id());
                running.pop()
            });
        match next {
            // One that panicked has said so.
            Some(thread) => drop(thread.join()),
            None => return,
        }
    }
}
