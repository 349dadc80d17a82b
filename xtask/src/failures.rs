//! Runs the tests, and says again at the end what failed in them.
//!
//! Test binaries print thousands of lines, those of processes that end badly on purpose among them. Whoever reads a
//! build server's log sees its end.

use std::{
    io::{self, BufRead, BufReader, Write},
    process::Command,
};

use anyhow::{Context as _, bail};

use crate::repo;

/// Lines that one failed test may have in the summary.
const LINES_A_TEST: usize = 30;

/// Runs `cargo test`, passes on what it prints, and fails with what it said of failures.
pub(crate) fn check(command: &mut Command) -> anyhow::Result<()> {
    let shown = repo::show(command);
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("failed to run `{shown}`"))?;
    // The command keeps its ends of the pipe until it is told to let go.
    command.stdout(io::stdout()).stderr(io::stderr());

    let mut summary = Summary::default();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        io::stdout().write_all(&line)?;
        summary.read(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    let status = child.wait()?;
    if !status.success() {
        println!("== what failed");
        summary.lines.iter().for_each(|line| println!("{line}"));
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// The lines that tell of failures.
#[derive(Default)]
struct Summary {
    lines: Vec<String>,
    /// How many more lines belong to the test whose output is being read.
    left: usize,
}

impl Summary {
    fn read(&mut self, line: &str) {
        let heading = line.starts_with("---- ") && line.ends_with(" ----");
        if heading {
            self.left = LINES_A_TEST;
        } else if line == "failures:" || line.starts_with("test result: ") {
            self.left = 0;
        }
        let telling = line.ends_with("... FAILED")
            || line.starts_with("test result: FAILED")
            || line.starts_with("error")
            || line.ends_with(" hangs")
            || line.contains("process didn't exit successfully");
        if telling || self.left > 0 {
            self.left = self.left.saturating_sub(1);
            self.lines.push(line.to_owned());
        }
    }
}
