//! Putting: its forms, bounds, what cannot be put.

use std::time::{Duration, Instant};

use multiproc::{
    Context, Failure, Queue,
    queue::{PutError, TryPutError},
};
use multiproc_tests::{TestResult, each_start_method, once};
use serde::{Deserialize, Serialize, Serializer, ser};

once! {
    every_form_puts_while_there_is_room, full_is_told_at_once, full_is_told_when_time_is_up,
    no_bound_is_no_bound, bad_item_is_its_own_error, sizes_are_counted
}
each_start_method! { put_waits_for_room }

// parity: queue.put-variants, queue.empty-full-flags
fn every_form_puts_while_there_is_room() -> TestResult {
    let q = Queue::<u32>::bounded(6)?;
    assert!(q.is_empty()? && !q.is_full());
    q.put(1)?;
    q.put_timeout(2, Duration::from_secs(60))?;
    q.try_put(3)?;
    q.put(4)?;
    q.try_put(5)?;
    q.put_timeout(6, Duration::ZERO)?;
    assert!(!q.is_empty()? && q.is_full());
    Ok(())
}

// parity: queue.put-nonblocking-full
fn full_is_told_at_once() -> TestResult {
    let q = Queue::<String>::bounded(1)?;
    q.put("first".into())?;
    let refused = q.try_put("second".into()).unwrap_err();
    assert!(refused.is_full());
    assert_eq!(refused.into_inner(), "second", "and comes back");
    Ok(())
}

// parity: queue.put-timeout-full
fn full_is_told_when_time_is_up() -> TestResult {
    let q = Queue::<u32>::bounded(1)?;
    q.put(1)?;
    let before = Instant::now();
    let refused = q.put_timeout(2, Duration::from_millis(100));
    assert!(matches!(refused, Err(TryPutError::Full(2))));
    assert!(Duration::from_millis(100) <= before.elapsed());
    Ok(())
}

// parity: queue.maxsize-zero
fn no_bound_is_no_bound() -> TestResult {
    for q in [Queue::<u32>::new()?, Queue::bounded(0)?] {
        assert_eq!(q.put_many(0..100_000)?, 100_000);
        assert!(!q.is_full());
        assert_eq!(q.qsize(), 100_000);
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Moody(u32);

impl Serialize for Moody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            13 => Err(ser::Error::custom("unlucky")),
            number => serializer.serialize_u32(number),
        }
    }
}

// parity: queue.feeder-survives-error
fn bad_item_is_its_own_error() -> TestResult {
    let q = Queue::<Moody>::new()?;
    match q.put(Moody(13)) {
        Err(PutError::Encode(Moody(13), err)) => {
            let cause = std::error::Error::source(&err).ok_or("it has a cause")?;
            assert_eq!(cause.to_string(), "unlucky");
        }
        other => return Err(format!("{other:?}").into()),
    }
    q.put(Moody(14))?;
    assert_eq!(q.get()?.0, 14);
    Ok(())
}

// parity: queue.qsize-tracks
fn sizes_are_counted() -> TestResult {
    let q = Queue::<u32>::new()?;
    assert_eq!(q.qsize(), 0);
    q.put(1)?;
    assert_eq!(q.qsize(), 1);
    q.put(5)?;
    assert_eq!(q.qsize(), 2);
    q.get()?;
    assert_eq!(q.qsize(), 1);
    q.get()?;
    assert_eq!(q.qsize(), 0);
    Ok(())
}

// parity: queue.blocks-until-possible
fn put_waits_for_room(ctx: &Context) -> TestResult {
    let (there, back) = (Queue::<u32>::bounded(1)?, Queue::<u32>::new()?);
    let child = ctx.start(hand_over, (there.clone(), back.clone(), 1000))?;
    for number in 0..1000 {
        there.put(number)?;
    }
    for number in 0..1000 {
        assert_eq!(back.get()?, number);
    }
    child.result()??;
    Ok(())
}

fn hand_over(there: Queue<u32>, back: Queue<u32>, count: u32) -> Result<(), Failure> {
    for _ in 0..count {
        back.put(there.get()?)?;
    }
    Ok(())
}
