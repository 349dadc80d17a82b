//! The calls that wait, awaited.
#![expect(clippy::unwrap_used, reason = "a helper may fail the test that calls it")]

#[path = "../interop/python.rs"]
#[expect(dead_code, reason = "the tests of interoperation use more of it")]
mod python;

mod values;
mod endings;
mod cancelling;
mod sharing;
mod listening;
mod interop;

use std::{
    io::Write,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use tokio::runtime::{Builder, Runtime};

/// Longer than any honest test.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a test on a runtime of one thread, then on one of two. A test that hangs ends the binary.
fn on_both<F: Future>(test: impl Fn() -> F) {
    watched(|| {
        single().block_on(test());
        double().block_on(test());
    });
}

fn watched(test: impl FnOnce()) {
    let (done, dog) = mpsc::channel::<()>();
    let name = thread::current().name().unwrap_or_default().to_owned();
    let guard = thread::spawn(move || {
        if let Err(RecvTimeoutError::Timeout) = dog.recv_timeout(PATIENCE) {
            let mut out = std::io::stderr().lock();
            writeln!(out, "test {name} hangs").unwrap();
            std::process::abort();
        }
    });
    test();
    drop(done);
    guard.join().unwrap();
}

fn single() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn double() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % sides
    }
}
