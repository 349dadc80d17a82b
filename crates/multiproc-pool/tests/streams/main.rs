//! Results as a stream.

multiproc_image::auto_init!();

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Mutex, OnceLock},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use futures_core::Stream;
use multiproc_pool::{Pool, TaskError, ThreadPool};
use multiproc_process as process;

/// Wakes a thread that has nothing else to do.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (mut future, mut context) = (pin!(future), Context::from_waker(&waker));
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn collect<S: Stream + Unpin>(mut stream: S) -> Vec<S::Item> {
    block_on(async {
        let mut items = Vec::new();
        while let Some(item) = poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
            items.push(item);
        }
        items
    })
}

#[test]
fn stream_gives_what_the_iterator_would() {
    let pool = Pool::builder().processes(2).retries(0).build().unwrap();
    for chunksize in [1, 7] {
        let results =
            collect(pool.imap(|x: u64| x * x, 0..100).chunksize(chunksize).buffersize(20));
        assert_eq!(results, (0..100).map(|x| Ok(x * x)).collect::<Vec<_>>());
    }
    let mut results = collect(pool.imap_unordered(|x: u64| x, 0..100));
    results.sort_by_key(|result| result.clone().unwrap());
    assert_eq!(results, (0..100).map(Ok).collect::<Vec<_>>());
    assert_eq!(collect(pool.imap(|x: u64| x, [])), []);
}

#[test]
fn death_wakes_who_polls() {
    let pool = Pool::new(1).unwrap();
    let end = |x: u64| if x == 1 { std::process::abort() } else { x };
    let results = collect(pool.imap(end, 0..3));
    assert_eq!((&results[0], &results[2]), (&Ok(0), &Ok(2)));
    assert!(matches!(results[1], Err(TaskError::WorkerLost { .. })));
    pool.terminate();
    assert_eq!(collect(pool.imap(end, 0..3)), [Err(TaskError::NotRunning)]);
}

static POOL: OnceLock<Pool> = OnceLock::new();
static UNDER_WAY: Mutex<Option<Results>> = Mutex::new(None);

type Results = Pin<Box<dyn Stream<Item = Result<u64, TaskError>> + Send>>;

#[test]
fn stream_ends_in_a_forked_child() {
    let pool = POOL.get_or_init(|| Pool::new(1).unwrap());
    let stay = |x: u64| loop {
        if x == 0 {
            return x;
        }
        thread::park();
    };
    // The second one is under way when the first is there.
    let mut results: Results = Box::pin(pool.imap(stay, 0..3).buffersize(2));
    assert_eq!(block_on(poll_fn(|context| results.as_mut().poll_next(context))), Some(Ok(0)));
    *UNDER_WAY.lock().unwrap() = Some(results);
    let take_three = || {
        let mut results = UNDER_WAY.lock().unwrap().take().unwrap();
        let mut next = || block_on(poll_fn(|context| results.as_mut().poll_next(context)));
        [next(), next(), next()]
    };
    let copy = process::Context::fork().allow_threads().start(take_three, ()).unwrap();
    assert_eq!(copy.result().unwrap(), [Some(Err(TaskError::NotRunning)), None, None]);
    *UNDER_WAY.lock().unwrap() = None;
}

#[test]
fn threads_give_streams_too() {
    let pool = ThreadPool::new(2).unwrap();
    assert_eq!(collect(pool.imap(|x: u64| x + 1, 0..10)), (1..11).map(Ok).collect::<Vec<_>>());
}
