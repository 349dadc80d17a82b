//! Ends a test that hangs.
//!
//! A hang is the fault that this project exists to remove, so a test must not hide one behind the patience of whoever
//! runs it. The watchdog is generous, for machines that are slow or have other work: it is not a measure of speed.

use std::{sync::mpsc, thread, time::Duration};

use crate::TestResult;

/// How long any test may take before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs a test; if it takes longer than any honest run, prints its name and aborts the whole binary.
pub fn watched(name: &str, test: impl FnOnce() -> TestResult) {
    let (done, dog) = mpsc::channel::<()>();
    let label = name.to_string();
    let guard = thread::spawn(move || {
        if dog.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("test {label} hangs");
            std::process::abort();
        }
    });
    let result = test();
    drop(done);
    guard.join().unwrap();
    if let Err(err) = result {
        panic!("{name}: {err}");
    }
}
