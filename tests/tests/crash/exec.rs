//! A child that becomes another program.

use std::{os::unix::process::CommandExt, process::Command};

use multiproc::{Context, ProcessError};
use multiproc_tests::{TestResult, each_start_method};

each_start_method! { child_that_becomes_a_program, child_that_becomes_a_program_and_is_killed }

fn child_that_becomes_a_program(ctx: &Context) -> TestResult {
    let process = ctx.start(become_a_program, ("exit 7".to_string(),))?;
    process.join()?;
    assert_eq!(process.exitcode(), Some(7), "that of the program");
    assert!(matches!(process.result(), Err(ProcessError::Exited { code: 7 })));
    Ok(())
}

fn child_that_becomes_a_program_and_is_killed(ctx: &Context) -> TestResult {
    let process = ctx.start(become_a_program, ("kill -KILL $$".to_string(),))?;
    process.join()?;
    assert_eq!(process.exitcode(), Some(-9));
    assert!(matches!(process.result(), Err(ProcessError::Signaled { signal: 9 })));
    Ok(())
}

fn become_a_program(script: String) -> String {
    // Comes back only if it fails.
    Command::new("sh").args(["-c", &script]).exec().to_string()
}
