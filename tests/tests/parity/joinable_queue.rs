//! Area `joinable_queue`.

use multiproc::{
    Context, Failure, JoinableQueue,
    queue::{Closed, GetError, PutError},
};
use multiproc_tests::{TestResult, each_start_method, once};

once! { join_of_nothing_returns, task_done_too_often_is_an_error, closed_one_is_like_any_other, refused_put_does_not_count }
each_start_method! { join_waits_for_all_tasks }

// parity: joinable_queue.join-waits, joinable_queue.workers-stop-on-sentinel
fn join_waits_for_all_tasks(ctx: &Context) -> TestResult {
    let (q, done) = (JoinableQueue::<Option<u32>>::new()?, JoinableQueue::<u32>::new()?);
    let workers: Vec<_> =
        (0..4).map(|_| ctx.start(work, (q.clone(), done.clone()))).collect::<Result<_, _>>()?;
    q.put_many((0..10).map(Some))?;
    q.join()?;
    assert_eq!(done.qsize(), 10, "each is worked at before it is done");
    q.put_many([None; 4])?;
    for worker in workers {
        worker.result()??;
    }
    Ok(())
}

fn work(q: JoinableQueue<Option<u32>>, done: JoinableQueue<u32>) -> Result<(), Failure> {
    while let Some(number) = q.get()? {
        std::thread::yield_now();
        done.put(number)?;
        q.task_done()?;
    }
    Ok(())
}

// parity: joinable_queue.join-empty
fn join_of_nothing_returns() -> TestResult {
    JoinableQueue::<u32>::new()?.join()?;
    Ok(())
}

// parity: joinable_queue.task-done-too-often
fn task_done_too_often_is_an_error() -> TestResult {
    let q = JoinableQueue::<u32>::new()?;
    assert!(q.task_done().is_err());
    q.put(1)?;
    q.get()?;
    q.task_done()?;
    let err = q.task_done().unwrap_err();
    assert!(err.to_string().starts_with("task_done called too many times"));
    Ok(())
}

// parity: joinable_queue.closed-errors
fn closed_one_is_like_any_other() -> TestResult {
    let q = JoinableQueue::<u32>::new()?;
    q.close();
    q.join_thread()?;
    assert_eq!(q.is_empty(), Err(Closed));
    assert!(matches!(q.put(1), Err(PutError::Closed(1))));
    assert!(matches!(q.get(), Err(GetError::Closed)));
    Ok(())
}

// parity: joinable_queue.put-full-no-count
fn refused_put_does_not_count() -> TestResult {
    let q = JoinableQueue::<u32>::bounded(1)?;
    q.put(1)?;
    assert!(q.try_put(2).unwrap_err().is_full());
    q.get()?;
    q.task_done()?;
    q.join()?;
    assert!(q.task_done().is_err());
    Ok(())
}
