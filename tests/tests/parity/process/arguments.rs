//! What reaches a child's function, and what becomes of it in the parent.

use std::{cell::Cell, collections::BTreeMap};

use multiproc::{Activity, Connection, Context, pipe};
use multiproc_tests::{TestResult, each_start_method};
use serde::{Deserialize, Serialize};

each_start_method! {
    arguments_arrive_unchanged, named_arguments_arrive_unchanged, arguments_are_dropped_here_by_the_start,
    activity_runs_with_its_state
}

// parity: process.args-roundtrip
fn arguments_arrive_unchanged(ctx: &Context) -> TestResult {
    let args = (1, "text".to_string(), vec![2.5], (Some('x'),));
    let back =
        ctx.start(|a: i32, b: String, c: Vec<f64>, d: (Option<char>,)| (a, b, c, d), args.clone())?;
    assert_eq!(back.result()?, args);

    let one = ctx.start(|only: Vec<u8>| only, (vec![7],))?;
    assert_eq!(one.result()?, [7]);
    let none = ctx.start(|| "none".to_string(), ())?;
    assert_eq!(none.result()?, "none");
    Ok(())
}

// parity: process.kwargs-roundtrip
fn named_arguments_arrive_unchanged(ctx: &Context) -> TestResult {
    let named = Named { hello: 23, bye: 2.54 };
    let map = BTreeMap::from([("hello".to_string(), 23), ("more".to_string(), 42)]);

    let child = ctx.start(
        |first: u8, named: Named, map: BTreeMap<String, i64>| (first, named, map),
        (1, named, map),
    )?;

    let (first, named, map) = child.result()?;
    assert_eq!((first, named.hello, named.bye), (1, 23, 2.54));
    assert_eq!((map["hello"], map["more"], map.len()), (23, 42, 2));
    Ok(())
}

// parity: process.target-released-after-start
fn arguments_are_dropped_here_by_the_start(ctx: &Context) -> TestResult {
    let before = DROPPED.get();
    let mut process =
        ctx.process().new(|counted: Counted| counted.number, (Counted { number: 7 },));
    assert_eq!(DROPPED.get(), before, "kept until the start");

    process.start()?;

    assert_eq!(DROPPED.get(), before + 1);
    assert_eq!(process.result()?, 7, "the child has a copy of its own");
    Ok(())
}

// parity: process.subclass-run
fn activity_runs_with_its_state(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe()?;
    let child = ctx.process().start_activity(Upcaser { line: theirs, answered: 0 })?;

    for word in ["hello", "world"] {
        ours.send(&Some(word.into()))?;
        assert_eq!(ours.recv()?, word.to_uppercase());
    }
    ours.send(&None)?;

    assert_eq!(child.result()?, 2);
    assert_eq!(child.exitcode(), Some(0));
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Named {
    hello: i32,
    bye: f64,
}

thread_local! {
    /// How many `Counted` this thread has dropped. Starts of other tests happen in other threads.
    static DROPPED: Cell<u32> = const { Cell::new(0) };
}

#[derive(Serialize, Deserialize)]
struct Counted {
    number: u32,
}

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.set(DROPPED.get() + 1);
    }
}

/// Answers words in capitals until it is told to stop, and returns how many it has answered.
#[derive(Serialize, Deserialize)]
struct Upcaser {
    line: Connection<String, Option<String>>,
    answered: u32,
}

impl Activity for Upcaser {
    type Output = u32;

    fn run(mut self) -> u32 {
        while let Ok(Some(word)) = self.line.recv() {
            self.line.send(&word.to_uppercase()).unwrap();
            self.answered += 1;
        }
        self.answered
    }
}
