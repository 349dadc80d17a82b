//! Runs the tests, and says again at the end what failed in them.
//!
//! Test binaries print thousands of lines, those of processes that end badly on purpose among them. Whoever reads a
//! build server's log sees its end.

use std::{
    io::{self, BufRead, BufReader, PipeReader, Write},
    process::Command,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};

use crate::repo;

/// Lines that one failed test may have in the summary.
const LINES_A_TEST: usize = 30;

/// How often to look whether cargo has ended while nothing is printed.
const LOOK: Duration = Duration::from_millis(100);

/// Runs `cargo test`, passes on what it prints, and fails with what it said of failures.
///
/// It ends with cargo: a process that a test has left behind may keep the output open for ever.
pub(crate) fn check(command: &mut Command) -> anyhow::Result<()> {
    let shown = repo::show(command);
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("failed to run `{shown}`"))?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(|| pass_on(reader, sender));

    let mut summary = Summary::default();
    let status = loop {
        match lines.recv_timeout(LOOK) {
            Ok(line) => summary.read(&line),
            Err(RecvTimeoutError::Disconnected) => break child.wait()?,
            Err(RecvTimeoutError::Timeout) => {
                if let Some(status) = child.try_wait()? {
                    break status;
                }
            }
        }
    };
    lines.try_iter().for_each(|line| summary.read(&line));
    if !status.success() {
        println!("== what failed");
        summary.lines.iter().for_each(|line| println!("{line}"));
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Prints what comes, as it comes, and hands on its lines.
fn pass_on(reader: PipeReader, lines: Sender<String>) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|length| 0 < length) {
        // Where nobody reads what we print, the outcome still counts.
        let _ = io::stdout().write_all(&line);
        if lines.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
            return;
        }
        line.clear();
    }
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
        let is_heading = line.starts_with("---- ") && line.ends_with(" ----");
        if is_heading {
            self.left = LINES_A_TEST;
        } else if line == "failures:" || line.starts_with("test result: ") {
            self.left = 0;
        }
        let is_telling = line.ends_with("... FAILED")
            || line.starts_with("test result: FAILED")
            || line.starts_with("error")
            || line.ends_with(" hangs")
            || line.contains("process didn't exit successfully");
        if is_telling || 0 < self.left {
            self.left = self.left.saturating_sub(1);
            self.lines.push(line.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_has_what_failed_and_nothing_else() {
        let mut summary = Summary::default();
        let printed = [
            "test good ... ok",
            "test bad ... FAILED",
            "failures:",
            "---- bad stdout ----",
            "assertion failed: left == right",
            "",
            "failures:",
            "    bad",
            "test result: FAILED. 1 passed; 1 failed",
            "thread 'worker' panicked at on purpose",
            "test stuck hangs",
        ];
        printed.iter().for_each(|line| summary.read(line));
        let expected = [printed[1], printed[3], printed[4], printed[5], printed[8], printed[10]];
        assert_eq!(summary.lines, expected);
    }

    #[test]
    fn end_of_the_command_is_enough() {
        // What it leaves behind keeps the output open, until this test is over.
        let (reader, writer) = io::pipe().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "exec 3<&0; cat <&3 & exit 3"]).stdin(reader);
        let err = check(&mut command).unwrap_err();
        drop(writer);
        assert!(err.to_string().contains("exit status: 3"), "{err}");
    }
}
