//! The library's own threads, which a fork may ignore.
//!
//! A fork copies only the calling thread, so a lock that another one holds would stay locked in the child for ever. Our
//! own threads hold no lock that a child could need (all their state is [`ForkLocal`]), so they do not make a fork
//! dangerous; all others do.

use std::{cell::Cell, io, sync::Mutex, thread};

use multiproc_sys::threads;

use crate::after_fork::ForkLocal;

static OURS: ForkLocal<Mutex<Vec<i32>>> = ForkLocal::new(|_| Mutex::new(Vec::new()));

/// Starts a thread of the library's own.
///
/// # Errors
///
/// `EAGAIN` where no more threads can be made.
pub fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<thread::JoinHandle<T>> {
    let (started, ready) = std::sync::mpsc::sync_channel(1);
    let handle = thread::Builder::new().name(name.into()).spawn(move || {
        let _registered = Registered::new();
        let _ = started.send(());
        body()
    })?;
    // From here on a fork knows the thread.
    let _ = ready.recv();
    Ok(handle)
}

thread_local! {
    static IS_OURS: Cell<bool> = const { Cell::new(false) };
}

/// True in a thread of the library's own.
pub(crate) fn is_ours() -> bool {
    IS_OURS.get()
}

struct Registered(i32);

impl Registered {
    fn new() -> Self {
        let tid = rustix::thread::gettid().as_raw_nonzero().get();
        IS_OURS.set(true);
        if let Ok(mut ours) = OURS.get().lock() {
            ours.push(tid);
        }
        Self(tid)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Ok(mut ours) = OURS.get().lock() {
            ours.retain(|tid| *tid != self.0);
        }
    }
}

/// The ids of threads that are neither the calling one nor the library's own.
///
/// # Errors
///
/// What reading `/proc/self/task` reports.
pub fn foreign() -> io::Result<Vec<i32>> {
    if threads::is_alone() {
        return Ok(Vec::new());
    }
    // The list of ours is read last: a thread of ours that ends meanwhile has left it, but is no longer there either
    // the next time one looks.
    let mut others = threads::others()?;
    let ours = OURS.get().lock().map(|ours| ours.clone()).unwrap_or_default();
    others.retain(|tid| !ours.contains(tid));
    if others.is_empty() {
        return Ok(others);
    }
    let still = threads::others()?;
    others.retain(|tid| still.contains(tid));
    Ok(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_known_and_others_are_foreign() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let ours = spawn("ours", move || {
            tell.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
            let _ = stopped.recv();
        })
        .unwrap();
        let tid = told.recv().unwrap();
        assert!(!foreign().unwrap().contains(&tid));
        assert!(threads::others().unwrap().contains(&tid));
        drop(stop);
        ours.join().unwrap();
    }
}
