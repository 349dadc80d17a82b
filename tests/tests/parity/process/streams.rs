//! Standard streams of children.

use std::{
    io::Write,
    os::fd::{FromRawFd, OwnedFd},
    process::Stdio,
};

use multiproc::Context;
use multiproc_tests::{TestResult, each_start_method};

use super::scene;

each_start_method! {
    child_without_output_streams,
    parent_without_streams,
    buffered_output_appears_once,
    standard_input_is_the_null_device,
}

// parity: process.broken-stdio-child
fn child_without_output_streams(ctx: &Context) -> TestResult {
    for number in [1, 2] {
        let process = ctx.start(close_stream, (number,))?;
        process.join()?;
        assert_eq!(process.exitcode(), Some(0), "after closing stream {number}");
    }
    Ok(())
}

/// What a child needs gets the numbers of the streams, and has to be there all the same.
fn parent_without_streams(ctx: &Context) -> TestResult {
    let status = scene("no-streams", ctx).status()?;
    assert_eq!(status.code(), Some(7));
    Ok(())
}

// parity: process.stdio-flushed-at-fork
fn buffered_output_appears_once(ctx: &Context) -> TestResult {
    let output = scene("buffered", ctx).output()?;
    assert_eq!(String::from_utf8(output.stdout)?, "parent, child, parent again");
    Ok(())
}

// parity: process.stdin-devnull
fn standard_input_is_the_null_device(ctx: &Context) -> TestResult {
    let mut program = scene("input", ctx).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    program.stdin.take().ok_or("piped")?.write_all(b"for the parent")?;
    let output = program.wait_with_output()?;
    assert_eq!(String::from_utf8(output.stdout)?, "child read 0 bytes, parent 14");
    Ok(())
}

/// Closes a stream; in the buffer of standard output something waits.
fn close_stream(number: i32) {
    if number == 1 {
        print!("never seen");
    }
    // SAFETY: The descriptor is this process's, and whoever uses it afterwards is what is tested.
    drop(unsafe { OwnedFd::from_raw_fd(number) });
}
