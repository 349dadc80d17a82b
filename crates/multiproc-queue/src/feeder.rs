//! Items for which the ring has no room, and the thread that puts them when it has.
//!
//! Such a thread exists only while items of this process wait. They are put in their order, and a later item of the same
//! process waits behind them. At the exit of the process they are waited for. A forked child has none of its parent's.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use multiproc_image::{after_fork::ForkLocal, exit::Finalizer, logging, threads};
use multiproc_sys::primitive::{AtomicBool, Ordering::SeqCst};
use multiproc_wire::Handle;

use crate::{
    core::Core,
    port::{Failed, Port},
    ring::{Patience, Refused},
};

/// Python's name for such a thread.
const NAME: &str = "QueueFeederThread";
/// Where Python joins its feeder threads in the order of leaving.
const PRIORITY: i32 = -5;
/// How long the thread waits before it sees whether it is still wanted, and before it tries again to get memory.
const TURN: Duration = Duration::from_millis(100);

/// An item, ready to be put.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) bytes: Vec<u8>,
    pub(crate) handles: Vec<Handle>,
    pub(crate) in_file: bool,
}

impl Parcel {
    pub(crate) fn new(bytes: Vec<u8>, handles: Vec<Handle>, in_file: bool) -> Self {
        Self { bytes, handles, in_file }
    }
}

/// The parcels of one queue.
struct Line {
    core: Arc<Core>,
    parcels: VecDeque<Parcel>,
    /// True while the thread puts one more. It counts until it is in the ring, so that nothing overtakes it.
    is_putting: bool,
}

impl Line {
    fn len(&self) -> usize {
        self.parcels.len() + usize::from(self.is_putting)
    }
}

type Lines = HashMap<(u64, u64), Line>;

/// All feeders of this process.
struct Feeders {
    lines: Mutex<Lines>,
    /// Told when a feeder has nothing left, or is not to be waited for.
    idle: Condvar,
    /// True once this process leaves.
    is_leaving: AtomicBool,
}

static FEEDERS: ForkLocal<Feeders> = ForkLocal::new(|_| {
    Finalizer::with_priority(PRIORITY, flush).keep();
    Feeders {
        lines: Mutex::new(HashMap::new()),
        idle: Condvar::new(),
        is_leaving: AtomicBool::new(false),
    }
});

impl Feeders {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, lines: MutexGuard<'a, Lines>) -> MutexGuard<'a, Lines> {
        self.idle.wait(lines).unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many items of a queue wait in this process.
pub(crate) fn backlog(core: &Core) -> usize {
    if core.backlog.load(SeqCst) == 0 {
        return 0;
    }
    let lines = FEEDERS.get().lock();
    let count = lines.get(&core.ring.identity()).map_or(0, Line::len);
    if count == 0 {
        // The number is the parent's.
        core.backlog.store(0, SeqCst);
    }
    count
}

pub(crate) fn is_busy(core: &Core) -> bool {
    backlog(core) != 0
}

/// Has a parcel put when there is room.
pub(crate) fn feed(port: &Port, parcel: Parcel) -> io::Result<()> {
    let feeders = FEEDERS.get();
    let identity = port.core.ring.identity();
    let mut lines = feeders.lock();
    let is_new = !lines.contains_key(&identity);
    let line = lines.entry(identity).or_insert_with(|| Line {
        core: Arc::clone(&port.core),
        parcels: VecDeque::new(),
        is_putting: false,
    });
    line.parcels.push_back(parcel);
    port.core.backlog.store(line.len(), SeqCst);
    if !is_new {
        return Ok(());
    }
    // The thread keeps a handle: as long as items wait, somebody can put.
    let clone = port.clone();
    // With the lock held, for which the thread waits: nobody joins a line that gets no thread.
    let thread = threads::spawn(NAME, move || run(&clone)).map(drop);
    if thread.is_err() {
        lines.remove(&identity);
        port.core.backlog.store(0, SeqCst);
        feeders.idle.notify_all();
    }
    thread
}

/// Puts one parcel after the other, until there is none.
fn run(port: &Port) {
    let feeders = FEEDERS.get();
    let identity = port.core.ring.identity();
    let mut is_wanted = true;
    loop {
        let mut lines = feeders.lock();
        let Some(line) = lines.get_mut(&identity) else { return };
        line.is_putting = false;
        if !is_wanted {
            line.parcels.clear();
        }
        let next = line.parcels.pop_front();
        line.is_putting = next.is_some();
        port.core.backlog.store(line.len(), SeqCst);
        let Some(next) = next else {
            lines.remove(&identity);
            feeders.idle.notify_all();
            return;
        };
        drop(lines);
        is_wanted = put(port, &next);
        if !is_wanted && port.core.ring.is_ended() {
            let count = backlog(&port.core);
            logging::error(format_args!(
                "{count} items of a queue are lost, which were put when there was no room and waited still when the \
                 queue was shut down: call close and join_thread before shutdown"
            ));
        }
    }
}

/// Puts a parcel, however long it takes; false if nobody will ever want any.
fn put(port: &Port, parcel: &Parcel) -> bool {
    loop {
        match port.put_parcel(parcel, Patience::of(TURN)) {
            Ok(_) => return true,
            Err(Failed::TimedOut) => {}
            Err(Failed::Refused(Refused::NoSpace(_)) | Failed::Unfinished) => {
                std::thread::sleep(TURN);
            }
            Err(Failed::Refused(Refused::Os(err))) => {
                logging::error(format_args!("an item of a queue is lost: {err}"));
                return true;
            }
            Err(_) => return false,
        }
        if FEEDERS.get().is_leaving.load(SeqCst) && !port.may_be_taken_elsewhere() {
            return false;
        }
    }
}

/// Waits until no item of a queue waits in this process.
pub(crate) fn join(core: &Core) {
    join_within(core, Patience::Endless);
}

/// The same, for as long as the patience lasts; false if it is over.
pub(crate) fn join_within(core: &Core, patience: Patience) -> bool {
    let feeders = FEEDERS.get();
    let mut lines = feeders.lock();
    while lines.contains_key(&core.ring.identity()) {
        lines = match patience.left() {
            None => feeders.wait(lines),
            Some(Duration::ZERO) => return false,
            Some(left) => {
                let waited = feeders.idle.wait_timeout(lines, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
    true
}

/// At the exit of the process: waits for all that nobody has called off.
fn flush() {
    let feeders = FEEDERS.get();
    feeders.is_leaving.store(true, SeqCst);
    let mut lines = feeders.lock();
    while lines.values().any(|line| !line.core.is_cancelled.load(SeqCst)) {
        lines = feeders.wait(lines);
    }
}

/// Does not wait at the exit of this process for what has not been put by then.
pub(crate) fn cancel(core: &Core) {
    core.is_cancelled.store(true, SeqCst);
    if let Some(feeders) = FEEDERS.get_if_made() {
        // Who leaves has looked already and sleeps, or has not looked yet.
        drop(feeders.lock());
        feeders.idle.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, thread};

    use multiproc_wire::Fd;

    use crate::Queue;

    #[test]
    fn numbered_items_do_not_overtake_those_that_wait() {
        // More descriptors than a socket takes.
        const MANY: u32 = 700;

        let q = Queue::<(u32, Option<Fd<File>>)>::new().unwrap();
        for number in 0..MANY {
            q.put((number, Some(Fd(File::open("/dev/null").unwrap())))).unwrap();
        }
        thread::scope(|scope| {
            let last = scope.spawn(|| q.put_numbered((MANY, None)).unwrap());
            for number in 0..=MANY {
                assert_eq!(q.get().unwrap().0, number);
            }
            assert_eq!(last.join().unwrap(), MANY);
        });
    }
}
