//! Ends a test binary in which a test hangs, and says which.

use std::{
    io::Write,
    process,
    sync::{
        Arc, Mutex,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

/// How long a test, or one case of many, may take before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(300);

thread_local! {
    /// Goes with the thread of the test.
    static DOG: Dog = Dog::new();
}

/// Watches this thread's test from now on.
pub(crate) fn watch() {
    let name = thread::current().name().unwrap_or_default().to_owned();
    feed(&name, 0, &[]);
}

/// As [`watch`], and says that another case begins.
pub(crate) fn feed(part: &str, case: usize, bytes: &[u8]) {
    DOG.with(|dog| dog.feed(part, case, bytes));
}

/// What runs.
#[derive(Debug, Default)]
struct Case {
    part: String,
    case: usize,
    bytes: Vec<u8>,
}

struct Dog {
    known: Arc<Mutex<Case>>,
    fed: Sender<()>,
}

impl Dog {
    fn new() -> Self {
        let (fed, hungry) = mpsc::channel();
        let known = Arc::<Mutex<Case>>::default();
        let seen = known.clone();
        thread::spawn(move || {
            loop {
                match hungry.recv_timeout(PATIENCE) {
                    Ok(()) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        let mut out = std::io::stderr().lock();
                        let _ = writeln!(out, "a test hangs: {:?}", seen.lock().unwrap());
                        process::abort();
                    }
                }
            }
        });
        Self { known, fed }
    }

    fn feed(&self, part: &str, case: usize, bytes: &[u8]) {
        let mut known = self.known.lock().unwrap();
        known.part.clear();
        known.part.push_str(part);
        known.case = case;
        known.bytes.clear();
        known.bytes.extend_from_slice(bytes);
        drop(known);
        self.fed.send(()).unwrap();
    }
}
