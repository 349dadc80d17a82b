//! Objects in shared memory as items of queues: what arrives is the same object.

use std::sync::mpsc;

use multiproc::{
    Array, Barrier, BoundedSemaphore, Condition, Context, Event, Failure, Lock, Mutex, Queue,
    RLock, RawArray, RawValue, Semaphore, Value,
};
use multiproc_tests::{TestResult, each_start_method};
use serde::{Deserialize, Serialize};

each_start_method! {
    locks_that_a_queue_brings_are_the_same,
    waits_that_a_queue_brings_are_the_same,
    values_that_a_queue_brings_are_the_same,
    what_a_queue_brought_outlives_who_sent_it,
}

type Locks = (Lock, RLock, Semaphore, BoundedSemaphore, Mutex<(char, u32)>);

/// The child has nothing but the queue, and each object comes by it.
fn locks_that_a_queue_brings_are_the_same(ctx: &Context) -> TestResult {
    let queue = Queue::<Locks>::new()?;
    let locks: Locks = (
        Lock::new()?,
        RLock::new()?,
        Semaphore::new(0)?,
        BoundedSemaphore::new(2)?,
        Mutex::new(('a', 1))?,
    );
    locks.0.acquire()?;
    locks.1.acquire()?;
    let child = ctx.start(use_locks, (queue.clone(),))?;
    queue.put(locks.clone())?;
    // Given by the child, which then wants what is held here.
    locks.2.acquire()?;
    locks.0.release()?;
    locks.1.release()?;
    child.result()??;
    assert!(
        locks.0.locked() && !locks.1.locked(),
        "the child has kept the one, which anybody may give back"
    );
    locks.0.release()?;
    assert_eq!((locks.3.get_value(), *locks.4.lock()?), (1, ('b', 2)));
    Ok(())
}

fn use_locks(queue: Queue<Locks>) -> Result<(), Failure> {
    let (lock, nested, semaphore, bounded, value) = queue.get()?;
    bounded.acquire()?;
    assert!(lock.try_acquire()?.is_none() && nested.try_acquire()?.is_none());
    semaphore.release()?;
    lock.acquire()?;
    drop(nested.guard()?);
    *value.lock()? = ('b', 2);
    Ok(())
}

#[derive(Clone, Serialize, Deserialize)]
struct Meeting {
    condition: Condition,
    turn: Mutex<u32>,
    event: Event,
    barrier: Barrier,
}

fn waits_that_a_queue_brings_are_the_same(ctx: &Context) -> TestResult {
    let queue = Queue::<Meeting>::new()?;
    let meeting = Meeting {
        condition: Condition::new()?,
        turn: Mutex::new(0)?,
        event: Event::new()?,
        barrier: Barrier::new(2)?,
    };
    let child = ctx.start(meet, (queue.clone(),))?;
    queue.put(meeting.clone())?;
    meeting.event.wait()?;
    {
        let _guard = meeting.condition.guard()?;
        *meeting.turn.lock()? = 1;
        meeting.condition.notify_all()?;
        meeting.condition.wait_for(|| meeting.turn.lock().is_ok_and(|turn| *turn == 2))?;
    }
    let index = meeting.barrier.wait()?;
    assert_eq!(index + child.result()??, 1, "one is the first, and one the last");
    Ok(())
}

fn meet(queue: Queue<Meeting>) -> Result<u32, Failure> {
    let Meeting { condition, turn, event, barrier } = queue.get()?;
    event.set();
    {
        let _guard = condition.guard()?;
        condition.wait_for(|| turn.lock().is_ok_and(|turn| *turn == 1))?;
        *turn.lock()? = 2;
        condition.notify_all()?;
    }
    Ok(barrier.wait()?)
}

type Values = (Value<i64>, RawValue<f32>, Array<u16>, RawArray<char>);

fn values_that_a_queue_brings_are_the_same(ctx: &Context) -> TestResult {
    let (there, back) = (Queue::<Values>::new()?, Queue::<Values>::new()?);
    let values: Values =
        (Value::new(20)?, RawValue::new(0.5)?, Array::new(3)?, RawArray::from_slice(&['x'; 2])?);
    let child = ctx.start(change_values, (there.clone(), back.clone()))?;
    there.put(values.clone())?;
    let same = back.get()?;
    child.result()??;
    assert_eq!((same.0.get()?, values.0.get()?), (42, 42));
    assert_eq!((values.1.get(), values.2.to_vec()?), (1.5, vec![0, 7, 0]));
    assert_eq!(values.3.to_vec(), ['x', 'y']);
    let _held = values.0.lock()?;
    assert!(same.0.get().is_err(), "it is one value");
    Ok(())
}

fn change_values(there: Queue<Values>, back: Queue<Values>) -> Result<(), Failure> {
    let values = there.get()?;
    values.0.update(|value| *value += 22)?;
    values.1.set(1.5);
    values.2.set(1, 7)?;
    values.3.set(1, 'y')?;
    Ok(back.put(values)?)
}

/// Nobody but the item has a handle, between the end of the one that made it and its arrival.
fn what_a_queue_brought_outlives_who_sent_it(ctx: &Context) -> TestResult {
    type Item = (Lock, Array<u64>);
    let queue = Queue::<Item>::new()?;
    let send = |queue: Queue<Item>| -> Result<(), Failure> {
        Ok(queue.put((Lock::new()?, Array::from_slice(&[7; 100])?))?)
    };
    ctx.start(send, (queue.clone(),))?.result()??;
    let (lock, array) = queue.get()?;
    let (tell, told) = mpsc::channel();
    lock.acquire()?;
    std::thread::scope(|scope| {
        scope.spawn(|| tell.send(lock.guard().map(drop).is_ok()));
        lock.release()?;
        assert!(told.recv()?);
        Ok::<(), Box<dyn std::error::Error>>(())
    })?;
    assert_eq!(array.to_vec()?, [7; 100]);
    Ok(())
}
