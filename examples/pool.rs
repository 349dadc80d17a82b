//! The program of Python's documentation: everything a pool can do, and everything that can go wrong.
//!
//! ```console
//! $ cargo run --example pool
//! Creating pool with 4 processes
//!
//! <Pool state=RUN pool_size=4>
//! ...
//! ```
//!
//! Python: "Examples" in the documentation of `multiprocessing`, the third program.

use std::{error::Error, thread, time::Duration};

use multiproc::{Pool, TaskError, pool::TimeoutError};

/// Says who has calculated what.
fn calculate(function: &str, result: u64, arguments: (u64, u64)) -> String {
    let name = multiproc::current_process().name();
    let name = name.split('-').next().unwrap_or_default();
    format!("{name} says that {function}{arguments:?} = {result}")
}

fn multiply(a: u64, b: u64) -> String {
    thread::sleep(Duration::from_millis(5 * (a % 3)));
    calculate("multiply", a * b, (a, b))
}

fn plus(a: u64, b: u64) -> String {
    thread::sleep(Duration::from_millis(5 * (b % 3)));
    calculate("plus", a + b, (a, b))
}

fn pow3(x: u64) -> u64 {
    x.pow(3)
}

/// One over `x - 5`, which does not always go well.
fn divide(x: u64) -> i64 {
    let by = x.cast_signed() - 5;
    assert!(by != 0, "division by zero");
    60 / by
}

fn nap(milliseconds: u64) -> u64 {
    thread::sleep(Duration::from_millis(milliseconds));
    milliseconds
}

#[multiproc::main]
fn main() -> Result<(), Box<dyn Error>> {
    const PROCESSES: usize = 4;
    println!("Creating pool with {PROCESSES} processes\n");
    let pool = Pool::new(PROCESSES)?;
    println!("{pool:?}\n");

    let results: Vec<_> = (0..3)
        .map(|i| pool.apply_async(multiply, (i, 7)))
        .chain((0..3).map(|i| pool.apply_async(plus, (i, 8))))
        .collect();
    println!("Ordered results using pool.apply_async():");
    for result in results {
        println!("\t{}", result.get()?);
    }
    println!("Ordered results using pool.imap():");
    for result in pool.imap(pow3, 0..4) {
        println!("\t{}", result?);
    }
    println!("Unordered results using pool.imap_unordered(), sorted:");
    let mut all = pool.imap_unordered(pow3, 0..4).collect::<Result<Vec<_>, _>>()?;
    all.sort_unstable();
    println!("\t{all:?}");
    println!("Ordered results using pool.starmap() --- will block till complete:");
    for result in pool.starmap(multiply, [(2, 3), (4, 5)])? {
        println!("\t{result}");
    }

    println!("Testing error handling:");
    say("pool.apply()", pool.apply(divide, (5,)).map(drop));
    say("pool.map()", pool.map(divide, 0..10).map(drop));
    say("list(pool.imap())", pool.imap(divide, 0..10).collect::<Result<Vec<_>, _>>().map(drop));
    for (i, result) in (0..).zip(pool.imap(divide, 0..10)) {
        if let Err(err) = result {
            println!("\tGot the error of item {i} only: {}", first_words(&err));
        }
    }

    println!("Testing ApplyResult.get() with timeout:");
    let nap_result = pool.apply_async(nap, (300,));
    let mut waits = 0;
    while nap_result.get_timeout(Duration::from_millis(20)).is_err() {
        waits += 1;
    }
    println!("\tnot yet, several times: {}; then {}", waits > 1, nap_result.get()?);
    println!("Testing IMapIterator.next() with timeout:");
    let mut naps = pool.imap(nap, [100, 1]);
    let early = naps.next_timeout(Duration::from_millis(1));
    println!("\t{}; then {:?}", matches!(early, Err(TimeoutError(_))), naps.next());

    pool.close();
    pool.join()?;
    println!("{pool:?}");
    say("pool.apply() after close", pool.apply(pow3, (1,)).map(drop));
    Ok(())
}

fn say(call: &str, result: Result<(), TaskError>) {
    match result {
        Ok(()) => println!("\tNo error from {call}, which is wrong"),
        Err(err) => println!("\tGot an error as expected from {call}: {}", first_words(&err)),
    }
}

/// Without the place in the source, which changes.
fn first_words(err: &TaskError) -> String {
    err.to_string().split(", at ").next().unwrap_or_default().to_string()
}
