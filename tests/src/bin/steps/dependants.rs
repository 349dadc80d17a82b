//! The victim, and who depends on it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst},
    },
    thread::JoinHandle,
};

use multiproc::Lock;
use multiproc_tests::{
    procfs,
    step::{Victim, mark},
};

use crate::TAKEN;

/// Lets the victim run `count` instructions, if it takes so many.
pub(crate) fn run_to(victim: &mut Victim, count: usize) {
    let taken = (0..count).take_while(|_| victim.step()).count();
    TAKEN.store(taken, SeqCst);
}

/// The same; where the victim falls asleep, `wake` is called, once.
pub(crate) fn run(victim: &mut Victim, count: usize, wake: impl FnOnce() + Send) {
    let pid = victim.pid();
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while done.load(SeqCst) == 0 {
                if procfs::state(pid) == Some('S') {
                    return wake();
                }
                std::thread::park_timeout(std::time::Duration::from_micros(100));
            }
        });
        run_to(victim, count);
        done.store(1, SeqCst);
        watcher.join().expect("the watcher does not panic");
    });
}

/// Threads that wait for something, and how many of them have been served.
pub(crate) struct Dependants {
    threads: Vec<JoinHandle<()>>,
    tids: Arc<[AtomicI32; 2]>,
    served: Arc<AtomicUsize>,
}

impl Dependants {
    pub(crate) fn start(count: usize, wait: impl Fn() + Send + Sync + Clone + 'static) -> Self {
        let tids = Arc::new([AtomicI32::new(0), AtomicI32::new(0)]);
        let served = Arc::<AtomicUsize>::default();
        let threads = (0..count)
            .map(|number| {
                let (wait, tids, served) = (wait.clone(), Arc::clone(&tids), Arc::clone(&served));
                std::thread::spawn(move || {
                    tids[number].store(rustix::thread::gettid().as_raw_nonzero().get(), SeqCst);
                    wait();
                    served.fetch_add(1, SeqCst);
                })
            })
            .collect();
        Self { threads, tids, served }
    }

    /// Waits until each sleeps, or has been served.
    pub(crate) fn until_asleep(&self) {
        for (thread, tid) in self.threads.iter().zip(self.tids.iter()) {
            while !thread.is_finished() {
                let tid = tid.load(SeqCst);
                if tid != 0 && procfs::state(tid.cast_unsigned()) == Some('S') {
                    break;
                }
                std::thread::yield_now();
            }
        }
    }

    pub(crate) fn served(&self) -> usize {
        self.served.load(SeqCst)
    }

    /// Waits until all have been served.
    pub(crate) fn join(self) {
        for thread in self.threads {
            thread.join().expect("a dependant does not panic");
        }
    }
}

pub(crate) fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

/// A victim with an entry of its own in the table, from its first mark on.
pub(crate) fn victim(before: impl FnOnce(), body: impl FnOnce()) -> std::io::Result<Victim> {
    Victim::fork(|| {
        Lock::new().and_then(|lock| lock.acquire()).expect("a lock");
        before();
        mark();
        body();
        mark();
    })
}
