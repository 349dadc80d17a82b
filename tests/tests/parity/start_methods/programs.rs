//! Programs with and without the entry hook, seen from outside.

use std::{
    fs::File,
    process::{Command, Output, Stdio},
};

use multiproc::{Failure, get_all_start_methods};
use multiproc_tests::TestResult;

multiproc_tests::once! {
    program_without_hook_cannot_start_itself_over_and_over,
    program_without_hook_can_fork,
    body_of_main_runs_once,
}
multiproc_tests::once_alone! { hook_does_nothing_in_a_process_that_runs }

// parity: start_methods.fork-bomb-guard
fn program_without_hook_cannot_start_itself_over_and_over() -> TestResult {
    for method in ["spawn", "forkserver"] {
        let output = run(env!("CARGO_BIN_EXE_unguarded"), &[method])?;
        let stderr = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(1), "{method}: {stderr}");
        assert_eq!(output.stdout, b"", "{method}");
        assert!(stderr.contains("no entry hook"), "{method}: {stderr}");
        assert!(stderr.contains("#[multiproc::main]"), "it says what to write: {stderr}");
    }
    Ok(())
}

// parity: start_methods.fork-unguarded-ok
fn program_without_hook_can_fork() -> TestResult {
    let output = run(env!("CARGO_BIN_EXE_unguarded"), &["fork"])?;
    assert_eq!(String::from_utf8(output.stderr)?, "");
    assert_eq!(output.stdout, b"123\n");
    assert_eq!(output.status.code(), Some(0));
    Ok(())
}

fn body_of_main_runs_once() -> TestResult {
    let output = run(env!("CARGO_BIN_EXE_steady"), &[])?;
    assert_eq!(String::from_utf8(output.stderr)?, "");
    let expected = "main runs\nforkserver: 42\nfork: 42\nspawn: 42\n";
    assert_eq!(String::from_utf8(output.stdout)?, expected, "not once more in a copy");
    assert_eq!(output.status.code(), Some(0));
    Ok(())
}

// parity: start_methods.freeze-support-noop
fn hook_does_nothing_in_a_process_that_runs() -> Result<(), Failure> {
    let before = (std::process::id(), std::env::args().collect::<Vec<_>>());
    multiproc::init();
    multiproc::init();
    assert_eq!((std::process::id(), std::env::args().collect()), before);
    for method in get_all_start_methods() {
        assert_eq!(multiproc::Context::from(method).start(|| 7, ())?.result()?, 7, "{method}");
    }
    Ok(())
}

/// Runs a program to its end, with nothing to read.
fn run(program: &str, arguments: &[&str]) -> std::io::Result<Output> {
    let null = Stdio::from(File::open("/dev/null")?);
    Command::new(program).args(arguments).stdin(null).output()
}
