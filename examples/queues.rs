//! Workers that take tasks from one queue and put what they made of them into another, until they are told to stop.
//!
//! ```console
//! $ cargo run --example queues
//! mul(0, 7) = 0
//! mul(1, 7) = 7
//! mul(2, 7) = 14
//! mul(3, 7) = 21
//! plus(0, 8) = 8
//! plus(1, 8) = 9
//! plus(2, 8) = 10
//! plus(3, 8) = 11
//! ```
//!
//! Python: the example "Workers and queues" of its documentation, whose tasks are functions, too.

use std::error::Error;

use multiproc::{Failure, FnRef, Queue};
use serde::{Deserialize, Serialize};

const WORKERS: usize = 4;

/// A function, and what to call it with; none tells a worker to stop.
type Task = Option<(FnRef<(i64, i64), i64>, (i64, i64))>;

/// What came of a task.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Outcome {
    name: String,
    arguments: (i64, i64),
    value: i64,
}

#[multiproc::main]
fn main() -> Result<(), Box<dyn Error>> {
    let (tasks, done) = (Queue::<Task>::new()?, Queue::<Outcome>::new()?);
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| multiproc::spawn(work, (tasks.clone(), done.clone())))
        .collect::<Result<_, _>>()?;

    tasks.put_many((0..4).map(|number| Some((FnRef::new(mul), (number, 7)))))?;
    tasks.put_many((0..4).map(|number| Some((FnRef::new(plus), (number, 8)))))?;
    tasks.put_many((0..WORKERS).map(|_| None))?;

    let mut outcomes = (0..8).map(|_| done.get()).collect::<Result<Vec<_>, _>>()?;
    outcomes.sort();
    for Outcome { name, arguments: (a, b), value } in outcomes {
        println!("{name}({a}, {b}) = {value}");
    }
    for worker in workers {
        worker.result()??;
    }
    Ok(())
}

fn work(tasks: Queue<Task>, done: Queue<Outcome>) -> Result<(), Failure> {
    while let Some((function, arguments)) = tasks.get()? {
        let name = function.name().rsplit("::").next().unwrap_or_default().to_owned();
        done.put(Outcome { name, arguments, value: function.call(arguments) })?;
    }
    Ok(())
}

fn mul(a: i64, b: i64) -> i64 {
    a * b
}

fn plus(a: i64, b: i64) -> i64 {
    a + b
}
