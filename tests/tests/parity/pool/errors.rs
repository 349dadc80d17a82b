//! How errors arrive.

use multiproc::{Context, TaskError};
use multiproc_tests::{TestResult, each_start_method};
use serde::{Deserialize, Serialize};

use super::{parse, pool};

each_start_method! { panic_arrives_with_place_and_stack, errors_keep_their_type, first_failure_is_reported }

fn fail_with(code: u32) {
    panic!("runtime error {code}");
}

// parity: pool.remote-traceback
fn panic_arrives_with_place_and_stack(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 1)?;
    let err = pool.apply(fail_with, (123,)).unwrap_err();
    let TaskError::Panicked(report) = &err else { return Err(err.into()) };
    assert_eq!(report.message, "runtime error 123");
    assert!(report.location.as_ref().is_some_and(|at| at.contains("errors.rs:")), "{report:?}");
    let forbidden = std::env::var("RUST_BACKTRACE").is_ok_and(|value| value == "0");
    assert!(
        forbidden || report.backtrace.as_ref().is_some_and(|stack| stack.contains("fail_with"))
    );
    let shown = err.to_string();
    assert!(shown.contains("runtime error 123") && shown.contains("errors.rs:"), "{shown}");
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Refusal {
    TooOdd { by: u32 },
}

fn halve(x: u32) -> Result<u32, Refusal> {
    if x.is_multiple_of(2) { Ok(x / 2) } else { Err(Refusal::TooOdd { by: x % 2 }) }
}

// parity: pool.error-kind-kept
fn errors_keep_their_type(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 2)?;
    assert_eq!(pool.apply(halve, (3,))?, Err(Refusal::TooOdd { by: 1 }));
    assert_eq!(pool.map(halve, [2, 3])?, [Ok(1), Err(Refusal::TooOdd { by: 1 })]);
    let threads = multiproc::ThreadPool::new(1)?;
    assert_eq!(threads.apply(halve, (3,))?, Err(Refusal::TooOdd { by: 1 }));
    Ok(())
}

// parity: pool.first-error-wins
fn first_failure_is_reported(ctx: &Context) -> TestResult {
    let pool = pool(ctx, 3)?;
    let texts = || ["1", "2", "x", "3", "y", "4", "z"].map(String::from);
    for chunksize in [1, 2, 7] {
        // DIFFERENCE: the first by place, so it is always the same.
        let err = pool.chunksize(chunksize).map(parse, texts()).unwrap_err();
        assert!(
            matches!(&err, TaskError::Panicked(report) if report.message.starts_with("x:")),
            "{err}"
        );
        let err = pool.chunksize(chunksize).map_async(parse, texts()).get().unwrap_err();
        assert!(
            matches!(&err, TaskError::Panicked(report) if report.message.starts_with("x:")),
            "{err}"
        );
    }
    Ok(())
}
