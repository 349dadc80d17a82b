//! Ctrl-C: SIGINT for every process of the terminal's group.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, Stdio},
};

use multiproc::Context;
use multiproc_tests::{TestResult, each_start_method, name_of};
use rustix::process::{Pid, Signal, kill_process_group};

each_start_method! { program_and_children_end, program_that_handles_it_sees_its_children_end }

fn program_and_children_end(ctx: &Context) -> TestResult {
    let (mut program, mut output) = play("ctrl-c", ctx)?;
    kill_process_group(Pid::from_child(&program), Signal::INT)?;
    assert_eq!(program.wait()?.signal(), Some(libc::SIGINT));
    // Whoever is left would hold the program's standard output: the children, and the fork server.
    let mut rest = String::new();
    output.read_to_string(&mut rest)?;
    assert_eq!(rest, "");
    Ok(())
}

fn program_that_handles_it_sees_its_children_end(ctx: &Context) -> TestResult {
    let (mut program, mut output) = play("ctrl-c-handled", ctx)?;
    kill_process_group(Pid::from_child(&program), Signal::INT)?;
    let mut rest = String::new();
    output.read_to_string(&mut rest)?;
    assert_eq!(rest, "exit codes [Some(-2), Some(-2), Some(-2)]\nand again 7\n");
    assert!(program.wait()?.success());
    Ok(())
}

/// Starts the scene in a group of its own and waits for its first line.
fn play(scene: &str, ctx: &Context) -> Result<(Child, impl BufRead), Box<dyn std::error::Error>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scenes"));
    command.args([scene, &name_of(ctx)]).process_group(0).stdout(Stdio::piped());
    let mut program = command.spawn()?;
    let mut output = BufReader::new(program.stdout.take().ok_or("piped")?);
    let mut line = String::new();
    output.read_line(&mut line)?;
    assert_eq!(line, "ready\n");
    Ok((program, output))
}
