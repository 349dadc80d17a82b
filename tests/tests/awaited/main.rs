//! Processes and their connections, awaited: the feature `tokio`.

multiproc::auto_init!();

mod processes;
mod forks;

use multiproc_tests::TestResult;
use tokio::runtime::{Builder, Runtime};

/// Runs a test on a runtime of one thread, then on one of two.
fn on_both(test: impl AsyncFn() -> TestResult) -> TestResult {
    single()?.block_on(test())?;
    Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(test())
}

fn single() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
