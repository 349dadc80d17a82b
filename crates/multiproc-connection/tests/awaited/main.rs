//! The calls that wait, awaited.
#![expect(clippy::unwrap_used, reason = "a helper may fail the test that calls it")]

#[path = "../interop/python.rs"]
#[expect(dead_code, reason = "the tests of interoperation use more of it")]
mod python;
#[path = "../support/watchdog.rs"]
mod watchdog;

mod values;
mod endings;
mod cancelling;
mod sharing;
mod listening;
mod interop;

use tokio::runtime::{Builder, Runtime};

/// Runs a test on a runtime of one thread, then on one of two.
fn on_both<F: Future>(test: impl Fn() -> F) {
    watchdog::watch();
    single().block_on(test());
    double().block_on(test());
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
