//! Queues.

use std::{thread, time::Duration};

use multiproc::{
    Context, Failure, Manager,
    managers::{EventProxy, JoinableQueueProxy, QueueProxy},
};
use multiproc_tests::{TestResult, each_start_method, once};

const MOMENT: Duration = Duration::from_millis(1);

once! {
    put_and_get_say_full_and_empty,
    size_and_unfinished_tasks_are_counted,
    shut_down_queue_gives_out_what_it_has,
    waiting_get_has_the_item_that_comes,
}

each_start_method! {
    queue_in_a_child,
    items_go_between_processes,
}

// parity: manager.flavour-queue
fn put_and_get_say_full_and_empty() -> TestResult {
    let manager = Manager::start()?;
    let queue = manager.queue::<i64>(6)?;
    for n in 0..3 {
        queue.put(&n)?;
        queue.try_put(&(n + 10))?;
    }
    assert!(queue.is_full()? && queue.qsize()? == 6);
    assert!(queue.try_put(&7).unwrap_err().is_full());
    assert!(queue.put_timeout(&7, MOMENT).unwrap_err().is_full());
    let got: Vec<_> = (0..6).map(|_| queue.get()).collect::<Result<_, _>>()?;
    assert_eq!(got, [0, 10, 1, 11, 2, 12]);
    assert!(queue.is_empty()?);
    assert!(queue.try_get().unwrap_err().is_empty());
    assert!(queue.get_timeout(MOMENT).unwrap_err().is_empty());
    Ok(())
}

// parity: manager.flavour-queue
fn size_and_unfinished_tasks_are_counted() -> TestResult {
    let manager = Manager::start()?;
    let queue = manager.joinable_queue::<i64>(0)?;
    (0..10).try_for_each(|n| queue.put(&n))?;
    assert_eq!(queue.qsize()?, 10);
    let worker = {
        let queue = queue.clone();
        thread::spawn(move || {
            (0..10).try_for_each(|_| {
                queue.get()?;
                queue.task_done()
            })
        })
    };
    queue.join()?;
    worker.join().unwrap()?;
    assert_eq!(queue.qsize()?, 0);
    assert!(queue.task_done().unwrap_err().is_raised("ValueError"));
    Ok(())
}

fn shut_down_queue_gives_out_what_it_has() -> TestResult {
    let manager = Manager::start()?;
    let queue = manager.queue::<i64>(0)?;
    queue.put(&1)?;
    queue.shutdown(false)?;
    assert!(queue.put(&2).unwrap_err().is_shut_down());
    assert_eq!(queue.get()?, 1);
    assert!(queue.get().unwrap_err().is_shut_down());
    Ok(())
}

fn waiting_get_has_the_item_that_comes() -> TestResult {
    let manager = Manager::start()?;
    let queue = manager.queue::<i64>(1)?;
    let getters: Vec<_> = (0..4)
        .map(|_| {
            let queue = queue.clone();
            thread::spawn(move || queue.get())
        })
        .collect();
    (0..4).try_for_each(|n| queue.put(&n))?;
    let got = getters.into_iter().map(|getter| getter.join().unwrap());
    let mut got = got.collect::<Result<Vec<_>, _>>()?;
    got.sort_unstable();
    assert_eq!(got, [0, 1, 2, 3]);
    Ok(())
}

// parity: manager.types-queue, manager.types-joinable-queue
fn queue_in_a_child(ctx: &Context) -> TestResult {
    let manager = Manager::start()?;
    let queue = manager.queue(2)?;
    queue.put(&5)?;
    queue.put(&6)?;
    ctx.start(empty, (queue.clone(),))?.result()??;
    assert!(queue.is_empty()? && !queue.is_full()?);
    let queue = manager.joinable_queue(2)?;
    queue.put(&5)?;
    queue.put(&6)?;
    ctx.start(empty_joinable, (queue.clone(),))?.result()??;
    queue.join()?;
    assert!(queue.is_empty()? && !queue.is_full()?);
    Ok(())
}

fn empty(queue: QueueProxy<i64>) -> Result<(), Failure> {
    assert!(queue.is_full()? && queue.qsize()? == 2);
    assert_eq!((queue.get()?, queue.get()?), (5, 6));
    assert!(queue.is_empty()?);
    Ok(())
}

fn empty_joinable(queue: JoinableQueueProxy<i64>) -> Result<(), Failure> {
    assert!(queue.is_full()? && queue.qsize()? == 2);
    for n in [5, 6] {
        assert_eq!(queue.get()?, n);
        queue.task_done()?;
    }
    Ok(())
}

// parity: manager.flavour-queue
fn items_go_between_processes(ctx: &Context) -> TestResult {
    let manager = Manager::start()?;
    let (queue, go) = (manager.queue::<i64>(4)?, manager.event()?);
    let child = ctx.start(fill, (queue.clone(), go.clone()))?;
    assert!(queue.try_get().unwrap_err().is_empty());
    go.set()?;
    for n in 0..20 {
        assert_eq!(queue.get()?, n);
    }
    child.result()??;
    Ok(())
}

fn fill(queue: QueueProxy<i64>, go: EventProxy) -> Result<(), Failure> {
    go.wait()?;
    (0..20).try_for_each(|n| queue.put(&n))?;
    Ok(())
}
