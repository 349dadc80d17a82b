//! Behaviours: async_result.* of docs/parity.tsv.

use std::{
    error::Error,
    pin::pin,
    sync::Arc,
    task::{Context as Polling, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use multiproc::{
    Context, Pool, TaskError,
    connection::Receiver,
    pool::{GetTimeoutError, TimeoutError},
    simplex,
};
use multiproc_tests::{TestResult, each_start_method};

each_start_method! { result_is_there_when_it_is_there, failed_result_is_no_success, map_is_ready_when_all_is, result_can_be_awaited }

fn pool(ctx: &Context) -> Result<Pool, multiproc::PoolError> {
    Pool::builder().processes(2).context(ctx.clone()).build()
}

fn wait_then_seven(line: Receiver<()>) -> u32 {
    let _ = line.recv();
    7
}

// parity: async_result.get-timeout, async_result.get-value, async_result.wait, async_result.ready
// parity: async_result.successful, async_result.timeout-error-kind
fn result_is_there_when_it_is_there(ctx: &Context) -> TestResult {
    let pool = pool(ctx)?;
    let (line, word) = simplex::<()>()?;
    let result = pool.apply_async(wait_then_seven, (line,));
    let (began, timeout) = (Instant::now(), Duration::from_millis(100));
    assert_eq!(result.get_timeout(timeout), Err(GetTimeoutError::Timeout(TimeoutError(timeout))));
    assert!(began.elapsed() >= timeout);
    assert!(!result.wait_timeout(Duration::from_millis(1)));
    assert!(!result.ready() && !result.successful());
    assert!(matches!(result.try_get(), Err(GetTimeoutError::Timeout(_))));
    let err: Box<dyn Error> = Box::new(TimeoutError(timeout));
    assert_eq!(err.to_string(), "no result within 100ms");
    word.send(&())?;
    result.wait();
    assert!(result.ready() && result.successful());
    for _ in 0..3 {
        assert_eq!(result.get()?, 7);
        assert_eq!(result.try_get()?, 7);
    }
    assert_eq!(result.into_result()?, 7);
    Ok(())
}

fn failed_result_is_no_success(ctx: &Context) -> TestResult {
    let pool = pool(ctx)?;
    let result = pool.apply_async(|| panic!("on purpose"), ());
    result.wait();
    assert!(result.ready() && !result.successful());
    assert!(matches!(result.get(), Err::<(), _>(TaskError::Panicked(_))));
    Ok(())
}

// parity: async_result.map-result-partial
fn map_is_ready_when_all_is(ctx: &Context) -> TestResult {
    let pool = pool(ctx)?;
    let (line, word) = simplex::<()>()?;
    let wait_or_fail = |line: Option<Receiver<()>>| match line {
        Some(line) => wait_then_seven(line),
        None => panic!("on purpose"),
    };
    let result = pool.chunksize(1).map_async(wait_or_fail, [None, Some(line)]);
    // The other worker does this after it has failed.
    let mut others = 0;
    while pool.stats().done == others {
        assert!(pool.apply(|| true, ())?);
        others += 1;
    }
    assert!(!result.ready());
    word.send(&())?;
    assert!(matches!(result.get(), Err(TaskError::Panicked(_))));
    Ok(())
}

/// Wakes a thread that has nothing else to do.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (mut future, mut polling) = (pin!(future), Polling::from_waker(&waker));
    loop {
        match future.as_mut().poll(&mut polling) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn result_can_be_awaited(ctx: &Context) -> TestResult {
    let pool = Pool::builder().processes(2).context(ctx.clone()).retries(1).build()?;
    let sum = block_on(async {
        let squares = pool.map_async(|x: u64| x * x, 0..100);
        let one = pool.apply_async(|x: u64| x + 1, (1,));
        Ok::<_, TaskError>(squares.await?.iter().sum::<u64>() + one.await?)
    });
    assert_eq!(sum?, 328_352);
    let failed = block_on(pool.apply_async(|| panic!("on purpose"), ()));
    assert!(matches!(failed, Err::<(), _>(TaskError::Panicked(_))));
    // Both workers are lost, and replaced although nobody waits but by polling.
    let lost = block_on(async {
        let two = [(); 2].map(|()| pool.apply_async(|| std::process::abort(), ()));
        for one in two {
            let lost: Result<(), _> = one.await;
            assert!(matches!(lost, Err(TaskError::WorkerLost { .. })), "{lost:?}");
        }
        pool.map_async(|x: u64| x, 0..3).await
    });
    assert_eq!(lost?, [0, 1, 2]);
    Ok(())
}
