//! Programs that print an address and serve.

use std::{
    error::Error,
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, Stdio},
    thread::{self, JoinHandle},
};

use multiproc_tests::TestResult;

/// A program at work, which prints an address first. Killed at the end.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) stdout: BufReader<ChildStdout>,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self, Box<dyn Error>> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        let mut stderr = child.stderr.take().ok_or("no stderr")?;
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let mut address = String::new();
        let read = stdout.read_line(&mut address);
        let mut running =
            Self { child, address: address.trim_end().to_owned(), stdout, stderr: Some(stderr) };
        match read? {
            0 => Err(format!("it printed no address: {}", running.kill()).into()),
            _ => Ok(running),
        }
    }

    /// Ends it, and returns what it has said on standard error.
    pub(crate) fn kill(&mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.stderr.take().and_then(|stderr| stderr.join().ok()).unwrap_or_default()
    }

    /// Waits for its end, which has to be a good one.
    pub(crate) fn finish(mut self) -> TestResult {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest)?;
        let status = self.child.wait()?;
        if status.success() && rest.is_empty() { Ok(()) } else { Err(self.kill().into()) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
