//! What a child says of an error that ends it.
//!
//! The children belong to the program `scenes`, whose standard error is a pipe.

use multiproc::{Context, ProcessError};
use multiproc_tests::{TestResult, each_start_method};

use super::scene;

each_start_method! { panic_is_reported, returned_error_is_reported, message_is_an_error_too }

// parity: process.uncaught-error-report, process.uncaught-error-header
fn panic_is_reported(ctx: &Context) -> TestResult {
    let output = scene("panic", ctx).output()?;
    assert_eq!(String::from_utf8(output.stdout)?, "exitcode Some(1)\n");
    let text = String::from_utf8(output.stderr)?;
    assert!(text.starts_with("Process the panicking one:\n"), "{text}");
    assert!(text.contains("seven is too many"), "{text}");
    assert!(text.contains("scenes.rs:"), "{text}");
    Ok(())
}

// parity: process.uncaught-error-report, process.uncaught-error-header
fn returned_error_is_reported(ctx: &Context) -> TestResult {
    let output = scene("error", ctx).output()?;
    assert_eq!(String::from_utf8(output.stdout)?, "exitcode Some(1)\n");
    let text = String::from_utf8(output.stderr)?;
    assert_eq!(text, "Process the failing one:\nError: invalid digit found in string\n");
    Ok(())
}

// parity: process.exit-message-value
fn message_is_an_error_too(ctx: &Context) -> TestResult {
    let output = scene("messages", ctx).output()?;
    assert_eq!(String::from_utf8(output.stdout)?, "exitcode Some(1)\nexitcode Some(1)\n");
    let text = String::from_utf8(output.stderr)?;
    assert_eq!(text, "Process a:\nError: ignore this\nProcess b:\nError: [1,2,3]\n");

    let back = ctx.start(|| Err::<(), _>(vec![1, 2, 3]), ())?;
    assert_eq!(back.result()?, Err(vec![1, 2, 3]), "the value comes back all the same");
    let raised = ctx.start(panic_at_once, ())?;
    let Err(ProcessError::Panicked(report)) = raised.result() else { panic!("it panicked") };
    assert_eq!(report.message, "expected by the test");
    Ok(())
}

fn panic_at_once() {
    panic!("expected by the test");
}
