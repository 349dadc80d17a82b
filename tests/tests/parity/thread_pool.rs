//! Behaviours: thread_pool.* of docs/parity.tsv.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
        mpsc::channel,
    },
    time::Duration,
};

use multiproc::{
    PoolError, TaskError, ThreadPool, pool::GetTimeoutError, pool::StillOpen, process_cpu_count,
};
use multiproc_tests::{TestResult, once};

once! {
    thread_pool_does_what_a_pool_does, terminate_waits_for_what_runs, result_of_a_thread_times_out,
    errors_are_passed_on, initializer_runs_in_each_thread, thread_pool_ends_like_a_pool, threads_need_no_serialisation,
    cancelled_thread_is_told,
}

fn square(x: u64) -> u64 {
    x * x
}

// parity: thread_pool.flavour, thread_pool.size-invalid, thread_pool.default-size, thread_pool.no-limit-no-context
fn thread_pool_does_what_a_pool_does() -> TestResult {
    let pool = ThreadPool::new(4)?;
    let squares = |count: u64| (0..count).map(square).collect::<Vec<_>>();
    assert_eq!(pool.apply(square, (5,))?, 25);
    assert_eq!(pool.map(square, 0..10)?, squares(10));
    assert_eq!(pool.chunksize(20).map(square, 0..100)?, squares(100));
    let pairs = (0..100u64).map(|i| (i, 99 - i));
    let products: Vec<_> = pairs.clone().map(|(x, y)| x * y).collect();
    assert_eq!(pool.starmap(|x: u64, y: u64| x * y, pairs.clone())?, products);
    assert_eq!(pool.chunksize(7).starmap_async(|x: u64, y: u64| x * y, pairs).get()?, products);
    assert_eq!(pool.map_async(square, 0..10).get()?, squares(10));
    assert_eq!(pool.apply_async(square, (7,)).get()?, 49);
    let all: Result<Vec<_>, _> = pool.imap(square, 0..1000).chunksize(100).collect();
    assert_eq!(all?, squares(1000));
    let mut all = pool.imap_unordered(square, 0..1000).collect::<Result<Vec<_>, _>>()?;
    all.sort_unstable();
    assert_eq!(all, squares(1000));
    assert_eq!(pool.map(square, [])?, [0; 0]);
    assert_eq!(pool.imap(square, []).next(), None);
    let failing = || pool.imap(square, (0..10).inspect(|x| assert!(*x < 3, "bad input"))).count();
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(failing)).is_err());
    assert!(matches!(ThreadPool::new(0), Err(PoolError::NoProcesses)));
    assert_eq!(ThreadPool::builder().build()?.threads(), process_cpu_count());
    Ok(())
}

// parity: thread_pool.terminate
fn terminate_waits_for_what_runs() -> TestResult {
    let pool = ThreadPool::new(2)?;
    let (tell, told) = channel();
    let (go, wait) = channel::<()>();
    let (wait, done) = (Arc::new(std::sync::Mutex::new(wait)), Arc::new(AtomicU32::new(0)));
    let count = done.clone();
    let all = pool.chunksize(1).map_async(
        move |_: u32| {
            tell.send(()).unwrap();
            let _ = wait.lock().unwrap().recv();
            count.fetch_add(1, SeqCst);
        },
        0..1000,
    );
    told.recv()?;
    told.recv()?;
    pool.terminate();
    assert_eq!(all.get(), Err(TaskError::NotRunning));
    drop(go);
    pool.join()?;
    assert_eq!(done.load(SeqCst), 2, "those that ran, and none that was queued");
    Ok(())
}

// parity: thread_pool.async-timeout
fn result_of_a_thread_times_out() -> TestResult {
    let pool = ThreadPool::new(1)?;
    let (go, wait) = channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let result = pool.apply_async(move || wait.lock().unwrap().recv().is_ok(), ());
    let early = result.get_timeout(Duration::from_millis(100));
    assert!(matches!(early, Err(GetTimeoutError::Timeout(_))));
    go.send(())?;
    assert!(result.get()?);
    Ok(())
}

// parity: thread_pool.error-unwrapped
fn errors_are_passed_on() -> TestResult {
    let pool = ThreadPool::new(2)?;
    // An error that could not be sent anywhere: not serialisable, and not to be cloned.
    struct Refusal(std::sync::mpsc::Receiver<()>);
    let refuse = |_: u32| Err::<(), _>(Refusal(channel().1));
    let refused = pool.apply_async(refuse, (1,)).into_result()?;
    assert!(refused.is_err_and(|refusal| refusal.0.try_recv().is_err()));
    let results: Vec<_> = pool.imap(|x: u32| assert!(x != 2, "two"), 0..4).collect();
    assert!(matches!(&results[2], Err(TaskError::Panicked(report)) if report.message == "two"));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3);
    Ok(())
}

// parity: thread_pool.initializer
fn initializer_runs_in_each_thread() -> TestResult {
    let (begun, ended) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (begin, end) = (begun.clone(), ended.clone());
    let pool = ThreadPool::builder()
        .threads(3)
        .initializer(move || {
            begin.fetch_add(1, SeqCst);
        })
        .finalizer(move || {
            end.fetch_add(1, SeqCst);
        })
        .build()?;
    pool.map(square, 0..100)?;
    pool.close();
    pool.join()?;
    assert_eq!((begun.load(SeqCst), ended.load(SeqCst)), (3, 3));
    let broken = ThreadPool::builder().initializer(|| panic!("no licence")).build()?;
    let err = broken.map(square, 0..100).unwrap_err();
    assert!(matches!(&err, TaskError::PoolBroken(why) if why.contains("no licence")), "{err}");
    Ok(())
}

// parity: thread_pool.scope-and-close
fn thread_pool_ends_like_a_pool() -> TestResult {
    let pool = ThreadPool::new(2)?;
    assert_eq!(format!("{pool:?}"), "<ThreadPool state=RUN pool_size=2>");
    assert_eq!(pool.join(), Err(StillOpen));
    let early = pool.map_async(square, 0..100);
    pool.close();
    assert_eq!(pool.apply(square, (1,)), Err(TaskError::NotRunning));
    pool.join()?;
    assert_eq!(early.get()?.len(), 100);
    pool.terminate();
    pool.join()?;
    drop(ThreadPool::new(3)?);
    let resized = ThreadPool::new(1)?;
    resized.resize(4)?;
    resized.map(square, 0..100)?;
    resized.resize(1)?;
    assert_eq!(resized.map(square, 0..3)?, [0, 1, 4]);
    Ok(())
}

fn threads_need_no_serialisation() -> TestResult {
    let pool = ThreadPool::new(2)?;
    let words = Arc::new(vec!["zero", "one", "two"]);
    let inside = words.clone();
    let lengths = pool.map(move |at: usize| (inside[at], inside[at].len()), 0..3)?;
    assert_eq!(lengths, [("zero", 4), ("one", 3), ("two", 3)]);
    drop(pool);
    assert_eq!(Arc::strong_count(&words), 1, "nothing is kept alive");
    Ok(())
}

fn cancelled_thread_is_told() -> TestResult {
    let pool = ThreadPool::new(1)?;
    let (tell, told) = channel();
    let work = move || {
        tell.send(()).unwrap();
        let task = multiproc::pool::current_task().unwrap();
        while !task.is_cancelled() {
            std::thread::yield_now();
        }
        tell.send(()).unwrap();
    };
    let result = pool.apply_async(work, ());
    told.recv()?;
    result.cancel();
    assert_eq!(result.get(), Err(TaskError::Cancelled));
    told.recv()?;
    assert_eq!(pool.apply(square, (3,))?, 9, "the thread goes on with something else");
    Ok(())
}
