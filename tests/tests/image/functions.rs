//! What can be run in another process: anything that has a name or needs none.

use std::{collections::HashMap, sync::Mutex};

use multiproc::{Connection, Context, Failure, FnRef, StartError, partial, pipe};
use multiproc_tests::TestResult;
use serde::{Deserialize, Serialize};

multiproc_tests::each_start_method! {
    closures_local_functions_and_generics_run_elsewhere,
    functions_travel_as_values,
    types_of_the_program_itself_travel,
    lock_held_by_a_thread_does_not_hang_a_child,
}

// complaint: 20
fn closures_local_functions_and_generics_run_elsewhere(ctx: &Context) -> TestResult {
    fn local(text: String) -> usize {
        text.len()
    }
    let closure = |a: i64, b: i64| a * b;

    assert_eq!(ctx.start(closure, (6, 7))?.result()?, 42);
    assert_eq!(ctx.start(local, ("seven".to_string(),))?.result()?, 5);
    assert_eq!(ctx.start(largest::<u8>, (vec![3, 9, 4],))?.result()?, Some(9));
    assert_eq!(ctx.start(largest::<String>, (Vec::new(),))?.result()?, None);
    Ok(())
}

// complaint: 20
fn functions_travel_as_values(ctx: &Context) -> TestResult {
    let factor = 3;
    let scaled = partial(|factor: i64, x: i64| factor * x, factor);
    assert_eq!(ctx.start(scaled, (14,))?.result()?, 42);

    let jobs: Vec<FnRef<(i64,), i64>> = vec![FnRef::new(i64::abs), FnRef::new(|x: i64| x * x)];
    assert_eq!(ctx.start(run_all, (jobs.clone(), -7))?.result()?, [7, 49]);

    let (ours, theirs) = pipe::<FnRef<(i64,), i64>, i64>()?;
    let child = ctx.start(run_received, (theirs,))?;
    ours.send(&jobs[1])?;
    assert_eq!(ours.recv()?, 25);
    child.result()??;
    Ok(())
}

// complaint: 20
fn types_of_the_program_itself_travel(ctx: &Context) -> TestResult {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Shape<T> {
        Point,
        Circle { radius: T },
    }
    let shapes = HashMap::from([
        ("a".to_string(), Shape::Point),
        ("b".to_string(), Shape::Circle { radius: 2.5 }),
    ]);
    let back = ctx.start(|shapes: HashMap<String, Shape<f64>>| shapes, (shapes,))?.result()?;
    assert_eq!(back["a"], Shape::Point);
    assert_eq!(back["b"], Shape::Circle { radius: 2.5 });
    Ok(())
}

// complaint: 2
fn lock_held_by_a_thread_does_not_hang_a_child(ctx: &Context) -> TestResult {
    static LOCK: Mutex<u32> = Mutex::new(7);
    let (held, is_held) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let holder = std::thread::spawn(move || {
        let guard = LOCK.lock().unwrap();
        held.send(()).unwrap();
        let _ = released.recv();
        drop(guard);
    });
    is_held.recv()?;

    // Of a fork that a user has not taken upon himself.
    let strict = Context::from(ctx.get_start_method());
    match strict.start(|| LOCK.lock().map_or(0, |number| *number), ()) {
        Ok(child) => assert_eq!(child.result()?, 7, "the child's lock is its own"),
        Err(StartError::Threads { count }) => {
            assert_eq!(ctx.get_start_method(), multiproc::StartMethod::Fork);
            assert!(count >= 1);
        }
        Err(err) => return Err(err.into()),
    }
    drop(release);
    holder.join().map_err(|_| "the holder panicked")?;
    Ok(())
}

fn largest<T: Ord>(values: Vec<T>) -> Option<T> {
    values.into_iter().max()
}

fn run_received(jobs: Connection<i64, FnRef<(i64,), i64>>) -> Result<(), Failure> {
    let job = jobs.recv()?;
    Ok(jobs.send(&job.call((-5,)))?)
}

fn run_all(jobs: Vec<FnRef<(i64,), i64>>, x: i64) -> Vec<i64> {
    jobs.iter().map(|job| job.call((x,))).collect()
}
