//! Values and arrays as arguments, messages, fields and tasks, and what is not received.

use multiproc::{Array, Context, Failure, Pool, RawArray, RawValue, Value, pipe, wire};
use multiproc_tests::{TestResult, each_start_method, once};
use serde::{Deserialize, Serialize};

once! {
    nothing_is_received_as_something_else,
    damaged_messages_are_errors,
    value_that_comes_home_is_the_same,
    tasks_of_a_pool_have_them,
}

each_start_method! {
    field_of_a_struct_goes_along,
    value_goes_through_a_pipe_in_both_directions,
    value_made_by_a_child_outlives_it,
    grandchild_has_it_too,
}

#[derive(Serialize, Deserialize, Clone)]
struct Job {
    name: String,
    total: Value<i64>,
    parts: Vec<RawArray<u8>>,
}

fn field_of_a_struct_goes_along(ctx: &Context) -> TestResult {
    let parts = vec![RawArray::new(3)?, RawArray::new(4)?];
    let job = Job { name: "sum".to_owned(), total: Value::new(1)?, parts };
    let work = |job: Job| -> Result<(), Failure> {
        job.parts.iter().for_each(|part| part.fill(2));
        let sum = job.parts.iter().flat_map(RawArray::iter).map(i64::from).sum::<i64>();
        Ok(job.total.update(|total| *total += sum)?)
    };
    ctx.start(work, (job.clone(),))?.result()??;
    assert_eq!((job.name, job.total.get()?), ("sum".to_owned(), 15));
    Ok(())
}

fn value_goes_through_a_pipe_in_both_directions(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<Value<i32>, Value<i32>>()?;
    let echo = |line: multiproc::Connection<Value<i32>, Value<i32>>| -> Result<(), Failure> {
        let value = line.recv()?;
        value.set(value.get()? * 2)?;
        Ok(line.send(&value)?)
    };
    let child = ctx.start(echo, (theirs,))?;
    let value = Value::new(21)?;
    ours.send(&value)?;
    let same = ours.recv()?;
    child.result()??;
    same.update(|same| *same += 1)?;
    assert_eq!(value.get()?, 43);
    Ok(())
}

fn value_made_by_a_child_outlives_it(ctx: &Context) -> TestResult {
    let make = || -> Result<(Value<char>, RawValue<f32>), Failure> {
        Ok((Value::new('m')?, RawValue::new(0.5)?))
    };
    let (value, raw) = ctx.start(make, ())?.result()??;
    assert_eq!((value.get()?, raw.get()), ('m', 0.5));
    value.set('n')?;
    assert_eq!(value.get()?, 'n');
    Ok(())
}

fn grandchild_has_it_too(ctx: &Context) -> TestResult {
    let child = |array: Array<u32>| -> Result<(), Failure> {
        let grandchild = |array: Array<u32>| -> Result<(), Failure> { Ok(array.set(1, 7)?) };
        // By another method than the one by which this process was started.
        Context::spawn().start(grandchild, (array,))?.result()?
    };
    let array = Array::new(2)?;
    ctx.process().daemon(false).start(child, (array.clone(),))?.result()??;
    assert_eq!(array.to_vec()?, [0, 7]);
    Ok(())
}

fn tasks_of_a_pool_have_them() -> TestResult {
    let pool = Pool::new(2)?;
    let total = Value::new(0u64)?;
    let add = |(total, by): (Value<u64>, u64)| -> Result<(), Failure> {
        Ok(total.update(|total| *total += by)?)
    };
    let tasks = (0..100).map(|by| (total.clone(), by));
    for result in pool.map(add, tasks)? {
        result?;
    }
    assert_eq!(total.get()?, 4950);
    Ok(())
}

fn value_that_comes_home_is_the_same() -> TestResult {
    let value = Value::new(1)?;
    let home: Value<i32> = wire::encode(&value)?.decode()?;
    let guard = value.lock()?;
    assert!(home.get().is_err(), "one thread, one value: {guard:?}");
    drop(guard);
    home.set(2)?;
    assert_eq!(value.get()?, 2);
    Ok(())
}

fn nothing_is_received_as_something_else() -> TestResult {
    let value = Value::new(1i32)?;
    assert!(wire::encode(&value)?.decode::<Value<i32>>().is_ok());
    // Of another type, even of the same size.
    assert!(wire::encode(&value)?.decode::<Value<u32>>().is_err());
    assert!(wire::encode(&value)?.decode::<Value<char>>().is_err());
    // Without the lock, or another kind of it, or bare bytes.
    assert!(wire::encode(&value)?.decode::<RawValue<i32>>().is_err());
    assert!(wire::encode(&value)?.decode::<Array<i32>>().is_err());
    assert!(wire::encode(&value)?.decode::<multiproc::shared_memory::Block>().is_err());
    let raw = RawArray::from_slice(&[1i32])?;
    assert!(wire::encode(&raw)?.decode::<RawValue<i32>>().is_err());
    assert!(wire::encode(&raw)?.decode::<Array<i32>>().is_err());
    assert!(wire::encode(&raw)?.decode::<RawArray<[i32; 1]>>().is_err());
    let err = wire::encode(&raw)?.decode::<RawArray<u32>>().unwrap_err();
    let cause = std::error::Error::source(&err).map(ToString::to_string).unwrap_or_default();
    assert!(cause.contains("receive it as what was sent"), "{err}: {cause}");
    Ok(())
}

/// What a message with a raw array has, for damaging it.
#[derive(Serialize, Deserialize)]
struct Inside {
    mark: u64,
    offset: u64,
    len: u64,
    block: multiproc::shared_memory::Block,
}

fn damaged_messages_are_errors() -> TestResult {
    let array = RawArray::<u32>::new(4)?;
    let damaged = |damage: fn(&mut Inside)| -> Result<bool, Box<dyn std::error::Error>> {
        let mut inside: Inside = wire::encode(&array)?.decode()?;
        damage(&mut inside);
        Ok(wire::encode(&inside)?.decode::<RawArray<u32>>().is_err())
    };
    assert!(!damaged(|_| {})?);
    assert!(!damaged(|inside| (inside.offset, inside.len) = (8, 2))?);
    assert!(damaged(|inside| inside.mark ^= 1)?);
    assert!(damaged(|inside| inside.offset = 4)?);
    assert!(damaged(|inside| (inside.offset, inside.len) = (2, 1))?, "not aligned");
    assert!(damaged(|inside| inside.offset = u64::MAX)?);
    assert!(damaged(|inside| inside.len = 5)?);
    assert!(damaged(|inside| inside.len = u64::MAX / 2)?);
    assert!(damaged(|inside| (inside.offset, inside.len) = (16, 1))?);
    Ok(())
}
