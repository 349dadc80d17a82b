//! Taking: its forms, order, exactly once.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use multiproc::{Context, Failure, Queue, queue::TryGetError};
use multiproc_tests::{TestResult, each_start_method, once};

once! { empty_is_told_at_once, empty_is_told_when_time_is_up, item_is_there_when_put_returns, later_change_changes_nothing }
each_start_method! { every_form_takes_what_another_process_puts, each_item_arrives_once }

// parity: queue.get-variants, queue.fifo-per-producer
fn every_form_takes_what_another_process_puts(ctx: &Context) -> TestResult {
    let q = Queue::<u32>::new()?;
    let child = ctx.start(put_range, (q.clone(), 1, 5))?;
    assert_eq!(q.get()?, 1);
    assert_eq!(q.get_timeout(Duration::from_secs(60))?, 2);
    child.result()??;
    assert_eq!(q.try_get()?, 3);
    assert_eq!(q.get()?, 4);
    assert!(q.is_empty()?);
    Ok(())
}

fn put_range(q: Queue<u32>, from: u32, to: u32) -> Result<(), Failure> {
    q.put_many(from..to)?;
    Ok(())
}

// parity: queue.get-nonblocking-empty
fn empty_is_told_at_once() -> TestResult {
    let q = Queue::<u32>::new()?;
    assert!(matches!(q.try_get(), Err(TryGetError::Empty)));
    assert!(matches!(q.get_timeout(Duration::ZERO), Err(TryGetError::Empty)));
    Ok(())
}

// parity: queue.get-timeout-empty
fn empty_is_told_when_time_is_up() -> TestResult {
    let q = Queue::<u32>::new()?;
    let before = Instant::now();
    assert!(q.get_timeout(Duration::from_millis(200)).unwrap_err().is_empty());
    assert!(Duration::from_millis(200) <= before.elapsed());
    Ok(())
}

fn item_is_there_when_put_returns() -> TestResult {
    let q = Queue::<u32>::new()?;
    for number in 0..1000 {
        q.put(number)?;
        assert!(!q.is_empty()?);
        assert_eq!(q.try_get()?, number);
    }
    Ok(())
}

// parity: queue.mutation-after-put
fn later_change_changes_nothing() -> TestResult {
    let q = Queue::<Vec<u32>>::new()?;
    let mut item = vec![1, 2, 3];
    q.put(item.clone())?;
    item.push(4);
    assert_eq!(q.get()?, [1, 2, 3]);
    Ok(())
}

// parity: queue.multi-producer-consumer
fn each_item_arrives_once(ctx: &Context) -> TestResult {
    let (there, back) = (Queue::<u32>::bounded(10)?, Queue::<Vec<u32>>::new()?);
    let takers: Vec<_> = (0..3)
        .map(|_| ctx.start(take_until_stop, (there.clone(), back.clone())))
        .collect::<Result<_, _>>()?;
    let putters: Vec<_> = (0..3)
        .map(|number| ctx.start(put_range, (there.clone(), number * 1000, number * 1000 + 1000)))
        .collect::<Result<_, _>>()?;
    for putter in putters {
        putter.result()??;
    }
    there.put_many([u32::MAX; 3])?;
    let mut all = BTreeSet::new();
    for taker in takers {
        taker.result()??;
        let taken = back.get()?;
        for putter in 0..3 {
            assert!(taken.iter().filter(|item| **item / 1000 == putter).is_sorted());
        }
        assert!(taken.into_iter().all(|item| all.insert(item)), "none came twice");
    }
    assert!(all.into_iter().eq(0..3000));
    Ok(())
}

fn take_until_stop(there: Queue<u32>, back: Queue<Vec<u32>>) -> Result<(), Failure> {
    back.put(there.iter_until(u32::MAX).collect::<Result<_, _>>()?)?;
    Ok(())
}
