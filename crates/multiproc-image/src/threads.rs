//! The library's own threads, which a fork may ignore.
//!
//! A fork copies only the calling thread, so a lock that another one holds would stay locked in the child for ever. Our
//! own threads hold no lock that a child could need (all their state is [`ForkLocal`]), so they do not make a fork
//! dangerous; all others do.

use std::{
    cell::Cell,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use multiproc_sys::threads;

use crate::after_fork::ForkLocal;

static OURS: ForkLocal<Mutex<Ours>> = ForkLocal::new(|_| Mutex::default());

#[derive(Default)]
struct Ours {
    /// Their ids.
    known: Vec<i32>,
    /// How many have been started and have not said their id yet.
    nameless: usize,
    /// The ids of the last few that have nothing more to do than to end.
    leaving: Vec<i32>,
}

/// How many of those that are leaving are remembered; those before them have long ended.
const MOST_LEAVING: usize = 16;
/// How often it is looked whether one that is leaving has ended, before its id is taken for that of a thread since.
const LOOKS: usize = 10_000;

/// Starts a thread of the library's own.
///
/// # Errors
///
/// `EAGAIN` where no more threads can be made.
pub fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<thread::JoinHandle<T>> {
    // Counted before it is there, so that a fork waits to hear which one it is; nobody else has to.
    count_nameless(1);
    let thread = thread::Builder::new().name(name.into()).spawn(move || {
        let _registered = Registered::new();
        body()
    });
    thread.inspect_err(|_| count_nameless(-1))
}

thread_local! {
    static IS_OURS: Cell<bool> = const { Cell::new(false) };
}

/// True in a thread of the library's own.
pub(crate) fn is_ours() -> bool {
    IS_OURS.get()
}

fn count_nameless(change: isize) {
    let mut ours = ours();
    ours.nameless = ours.nameless.saturating_add_signed(change);
}

fn ours() -> MutexGuard<'static, Ours> {
    OURS.get().lock().unwrap_or_else(PoisonError::into_inner)
}

struct Registered(i32);

impl Registered {
    fn new() -> Self {
        let tid = rustix::thread::gettid().as_raw_nonzero().get();
        IS_OURS.set(true);
        let mut ours = ours();
        ours.known.push(tid);
        ours.nameless = ours.nameless.saturating_sub(1);
        Self(tid)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut ours = ours();
        ours.known.retain(|tid| *tid != self.0);
        if ours.leaving.len() == MOST_LEAVING {
            ours.leaving.remove(0);
        }
        ours.leaving.push(self.0);
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
    let mut looks = 0;
    loop {
        // The list of ours is read last: who ends meanwhile is in it still, or among those that are leaving.
        let mut others = threads::others()?;
        let mut ours = ours();
        others.retain(|tid| !ours.known.contains(tid));
        ours.leaving.retain(|tid| others.contains(tid));
        if ours.nameless == 0 {
            if ours.leaving.is_empty() {
                return Ok(others);
            }
            looks += 1;
            if looks == LOOKS {
                ours.leaving.clear();
            }
        }
        drop(ours);
        thread::yield_now();
    }
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

    #[test]
    fn ours_are_not_foreign_while_they_begin_and_end() {
        for _ in 0..2000 {
            let (tell, told) = std::sync::mpsc::channel();
            let ours = spawn("ours", move || {
                let _ = tell.send(rustix::thread::gettid().as_raw_nonzero().get());
            });
            let others = foreign().unwrap();
            let tid = told.recv().unwrap();
            assert!(!others.contains(&tid), "while it begins");
            assert!(!foreign().unwrap().contains(&tid), "while it ends");
            ours.unwrap().join().unwrap();
        }
    }
}
