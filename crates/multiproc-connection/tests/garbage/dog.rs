//! Ends the binary when a case hangs.

use std::{
    fmt,
    io::{self, Write},
    sync::{
        Arc, Mutex,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long one case may take before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// The case that runs.
#[derive(Debug, Default)]
struct Case {
    part: &'static str,
    case: usize,
    bytes: Vec<u8>,
}

/// Tells whoever runs the test, past the harness.
pub(crate) fn say(what: fmt::Arguments<'_>) {
    // Where nobody listens there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "garbage: {what}");
}

/// Knows which case runs.
pub(crate) struct Dog {
    known: Arc<Mutex<Case>>,
    fed: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Begins to watch.
pub(crate) fn watch() -> Dog {
    let (fed, hungry) = mpsc::channel();
    let ours = Arc::new(Mutex::new(Case::default()));
    let known = ours.clone();
    let thread = thread::spawn(move || {
        loop {
            match hungry.recv_timeout(PATIENCE) {
                Ok(()) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    say(format_args!("a case hangs: {:?}", known.lock().unwrap()));
                    std::process::abort();
                }
            }
        }
    });
    Dog { known: ours, fed: Some(fed), thread: Some(thread) }
}

impl Dog {
    /// Says that another case begins.
    pub(crate) fn feed(&self, part: &'static str, case: usize, bytes: &[u8]) {
        let mut known = self.known.lock().unwrap();
        (known.part, known.case) = (part, case);
        known.bytes.clear();
        known.bytes.extend_from_slice(bytes);
        drop(known);
        self.fed.as_ref().unwrap().send(()).unwrap();
    }
}

impl Drop for Dog {
    fn drop(&mut self) {
        drop(self.fed.take());
        let _ = self.thread.take().unwrap().join();
    }
}
