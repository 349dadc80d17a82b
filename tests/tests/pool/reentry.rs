//! Code of the program's that runs where a pool is at work: wakers, and destructors of what it throws away.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex,
        mpsc::{Sender, channel},
    },
    task::{Context as Waiting, Poll, Wake, Waker},
};

use multiproc::{Context, Pool, TaskError, ThreadPool};
use multiproc_tests::{TestResult, each_start_method, once};

use crate::{pool, square};

each_start_method! { waker_may_use_the_pool }

once! { waker_may_poll_at_once, task_may_have_the_last_handle, task_that_is_thrown_away_may_have_the_last_handle }

/// Asks the pool how it is when it is woken.
struct Nosy(Arc<Pool>, Mutex<Sender<u64>>);

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {
        let _ = self.1.lock().unwrap().send(self.0.stats().done);
    }
}

fn waker_may_use_the_pool(ctx: &Context) -> TestResult {
    let pool = Arc::new(pool(ctx, 1)?);
    let (tell, told) = channel();
    let mut result = pin!(pool.apply_async(square, (3,)));
    let waker = Waker::from(Arc::new(Nosy(pool.clone(), Mutex::new(tell))));
    let mut context = Waiting::from_waker(&waker);
    while result.as_mut().poll(&mut context).is_pending() {
        // Somebody else may drive meanwhile.
        assert_eq!(pool.apply(square, (4,))?, 16);
        assert!(told.recv()? > 0);
    }
    Ok(())
}

/// Polls the future that it belongs to when it is woken.
struct Eager<F>(Mutex<F>, Mutex<Sender<u64>>);

impl<F> Wake for Eager<F>
where
    F: FnMut(&mut Waiting<'_>) -> Poll<Result<u64, TaskError>> + Send + 'static,
{
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(self.clone());
        let polled = (self.0.lock().unwrap())(&mut Waiting::from_waker(&waker));
        if let Poll::Ready(Ok(value)) = polled {
            let _ = self.1.lock().unwrap().send(value);
        }
    }
}

fn waker_may_poll_at_once() -> TestResult {
    let pool = ThreadPool::new(1)?;
    for has_callback in [false, true] {
        let (open, gate) = channel::<()>();
        let gate = Mutex::new(gate);
        let (tell, told) = channel();
        let mut result =
            pool.apply_async(move |x: u64| (gate.lock().unwrap().recv().is_err(), x).1, (7,));
        if has_callback {
            result = result.callback(|_| ());
        }
        let mut result = Box::pin(result);
        let poll = move |context: &mut Waiting<'_>| result.as_mut().poll(context);
        Arc::new(Eager(Mutex::new(poll), Mutex::new(tell))).wake();
        drop(open);
        assert_eq!(told.recv()?, 7);
    }
    Ok(())
}

fn task_may_have_the_last_handle() -> TestResult {
    let pool = Arc::new(ThreadPool::new(2)?);
    let (open, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let task = move |last: Arc<ThreadPool>| {
        let _ = gate.lock().unwrap().recv();
        drop(last);
    };
    let result = pool.apply_async(task, (pool.clone(),));
    drop(pool);
    drop(open);
    // The pool ends with the task, and before it has its result.
    assert!(matches!(result.get(), Ok(()) | Err(TaskError::NotRunning)));
    Ok(())
}

fn task_that_is_thrown_away_may_have_the_last_handle() -> TestResult {
    let pool = Arc::new(ThreadPool::new(1)?);
    let (open, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let (begin, begun) = channel();
    let running = pool.apply_async(
        move || {
            let _ = begin.send(());
            let _ = gate.lock().unwrap().recv();
        },
        (),
    );
    begun.recv()?;
    // What is first ends the running task, what is last the pool.
    let queued = pool.apply_async(|_: (Sender<()>, Arc<ThreadPool>)| (), ((open, pool.clone()),));
    drop(pool);
    queued.cancel();
    assert_eq!(queued.get(), Err(TaskError::Cancelled));
    assert!(matches!(running.get(), Ok(()) | Err(TaskError::NotRunning)));
    Ok(())
}
