//! Reaps children whose last handle was dropped while they ran, so that they leave no zombie.
//!
//! One thread does so, started for the first such child and gone after the last: a program that joins its children never
//! has it.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex},
};

use multiproc_image::{after_fork::ForkLocal, logging, threads};
use multiproc_sys::{lifeline, poll};

use crate::child::Inner;

#[derive(Default)]
struct Reaper {
    children: Vec<Arc<Inner>>,
    /// Writing to it, or closing it, wakes the thread; none while there is no thread.
    wake: Option<OwnedFd>,
}

static REAPER: ForkLocal<Mutex<Reaper>> = ForkLocal::new(|_| Mutex::new(Reaper::default()));

/// Takes over a child that nobody else has a handle to.
pub(crate) fn adopt(child: Arc<Inner>) {
    let Ok(mut reaper) = REAPER.get().lock() else { return };
    if reaper.children.iter().any(|known| Arc::ptr_eq(known, &child)) {
        return;
    }
    reaper.children.push(child);
    if let Some(wake) = &reaper.wake {
        let _ = rustix::io::write(wake, b"w");
        return;
    }
    // Out of threads or descriptors: then the table of children reaps it when somebody looks, or at exit.
    match lifeline::pipe() {
        Ok((woken, wake)) => {
            reaper.wake = Some(wake);
            if let Err(err) = threads::spawn("multiproc-reaper", move || run(&woken)) {
                reaper.wake = None;
                logging::warning(format_args!("no thread to reap children: {err}"));
            }
        }
        Err(err) => logging::warning(format_args!("no descriptor to reap children: {err}")),
    }
}

fn run(woken: &OwnedFd) {
    loop {
        let Ok(children) = REAPER.get().lock().map(|reaper| reaper.children.clone()) else {
            return;
        };
        let mut fds: Vec<BorrowedFd<'_>> = vec![woken.as_fd()];
        fds.extend(children.iter().map(|child| child.sentinel()));
        // More children than descriptors are allowed: they are left to the table of children.
        let Ok(ready) = poll::wait_many(&fds, None) else { return give_up() };
        if ready.contains(&0) {
            let _ = rustix::io::read(woken, &mut [0; 64]);
        }
        for index in ready.into_iter().filter_map(|index| index.checked_sub(1)) {
            // A child of the fork server is told of a moment later than it ends.
            let _ = children[index].wait(None);
        }
        let Ok(mut reaper) = REAPER.get().lock() else { return };
        reaper.children.retain(|child| child.exit().is_none());
        if reaper.children.is_empty() {
            reaper.wake = None;
            return;
        }
    }
}

fn give_up() {
    if let Ok(mut reaper) = REAPER.get().lock() {
        reaper.wake = None;
        reaper.children.clear();
    }
}
