//! Behaviours of the synchronisation objects: areas lock, rlock, semaphore, condition, event and barrier of docs/parity.tsv.

mod lock;
mod rlock;
mod semaphore;
mod condition;
mod event;
mod barrier;
mod globals;

use std::time::{Duration, Instant};

use multiproc::{Process, connection::Sender, simplex};
use multiproc_tests::procfs;
use serde::{Serialize, de::DeserializeOwned};

/// A time-out, long enough to be told from none.
const SHORT: Duration = Duration::from_millis(100);

/// Runs `wait`, which is to take no less than [`SHORT`].
fn takes_its_time<R>(wait: impl FnOnce() -> R) -> R {
    let begin = Instant::now();
    let result = wait();
    assert!(SHORT <= begin.elapsed(), "over after {:?}", begin.elapsed());
    result
}

/// Waits until the first thread of a process that has said it is about to sleep does so.
fn until_asleep<R: Serialize + DeserializeOwned>(process: &Process<R>) {
    let pid = process.pid().expect("it was started");
    while procfs::state(pid) != Some('S') {
        std::thread::yield_now();
    }
}

/// A value that has gone through a message, as an argument or a queue's item would.
fn sent<T: Serialize + DeserializeOwned>(value: &T) -> Result<T, Box<dyn std::error::Error>> {
    let (rx, tx) = simplex::<T>()?;
    tx.send(value)?;
    Ok(rx.recv()?)
}

/// One more handle to an end, for one more process to speak through.
fn another<T: Serialize + DeserializeOwned>(end: &Sender<T>) -> Sender<T> {
    let message = multiproc::wire::encode(end).expect("an end can be sent");
    message.decode().expect("an end arrives")
}
