//! Panics that come back.

use multiproc::{Context, PanicReport, Process, ProcessError};
use multiproc_tests::{TestResult, each_start_method};

each_start_method! { panic_has_message_place_and_stack, panic_with_a_huge_message, panic_without_a_text }

fn panic_has_message_place_and_stack(ctx: &Context) -> TestResult {
    let report = report(ctx.start(deep_down, ("seven".to_string(),))?);

    assert_eq!(report.message, "seven is too many");
    let place = report.location.ok_or("it is known where")?;
    assert!(place.contains("crash/panics.rs:"), "{place}");
    // A backtrace that the environment forbids is not made.
    if std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value != "0") {
        let stack = report.backtrace.ok_or("it is known how one got there")?;
        assert!(stack.contains("deeper_still"), "{stack}");
    }
    Ok(())
}

fn panic_with_a_huge_message(ctx: &Context) -> TestResult {
    let report = report(ctx.start(panic_with, (10 << 20,))?);
    assert_eq!(report.message.len(), 10 << 20);
    assert!(report.message.bytes().all(|byte| byte == b'x'));
    Ok(())
}

fn panic_without_a_text(ctx: &Context) -> TestResult {
    let report = report(ctx.start(|| std::panic::panic_any(7), ())?);
    assert_eq!(report.message, "a payload that is not text");
    Ok(())
}

fn report(process: Process<()>) -> PanicReport {
    let Err(ProcessError::Panicked(report)) = process.result() else {
        panic!("{process:?} did not panic")
    };
    assert_eq!(process.exitcode(), Some(1));
    report
}

fn deep_down(what: String) {
    deeper_still(&what);
}

#[inline(never)]
fn deeper_still(what: &str) {
    panic!("{what} is too many");
}

fn panic_with(length: usize) {
    // What is printed of it is not for the one who reads the test's output.
    let null = std::fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
    rustix::stdio::dup2_stderr(null).unwrap();
    panic!("{}", "x".repeat(length));
}
