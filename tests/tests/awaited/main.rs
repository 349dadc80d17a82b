//! Processes and their connections, awaited: the feature `tokio`.

multiproc::auto_init!();

mod processes;
mod forks;
mod midway;

use std::{fmt::Debug, future::poll_fn, pin::Pin, task::Poll, thread};

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

/// Polls a future once, and sees that it waits: a receive registers its end by that.
async fn begin<F: Future<Output: Debug>>(mut future: Pin<&mut F>) {
    poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        assert!(polled.is_pending(), "{polled:?}");
        Poll::Ready(())
    })
    .await;
}

/// In a forked child: it has the thread of its parent that runs a runtime, so its own needs another.
fn in_own_runtime<R: Send + 'static>(run: impl AsyncFnOnce() -> R + Send + 'static) -> R {
    thread::spawn(|| single().unwrap().block_on(run())).join().unwrap()
}
