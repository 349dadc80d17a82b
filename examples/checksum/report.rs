//! What is said: the lines of stdout, and on stderr errors, progress and the last line.

use std::{
    ffi::CStr,
    fmt::Display,
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    process::ExitCode,
    time::Instant,
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::hash::Outcome;

/// What is said, and what it adds up to.
pub struct Report {
    started: Instant,
    output: BufWriter<Stdout>,
    line: Vec<u8>,
    bar: ProgressBar,
    files: u64,
    bytes: u64,
    has_failed: bool,
}

impl Report {
    pub fn new() -> Self {
        let bar = if io::stderr().is_terminal() { progress_bar() } else { ProgressBar::hidden() };
        Self {
            started: Instant::now(),
            output: BufWriter::with_capacity(64 << 10, io::stdout()),
            line: Vec::new(),
            bar,
            files: 0,
            bytes: 0,
            has_failed: false,
        }
    }

    /// Prints the line of `file`, which has come out like this.
    pub fn line(&mut self, file: &CStr, outcome: &Outcome) -> io::Result<()> {
        match outcome {
            Outcome::Sum { digest, len } => {
                self.files += 1;
                self.bytes += len;
                self.line.clear();
                push_line(&mut self.line, digest, file);
                self.output.write_all(&self.line)?;
            }
            Outcome::NotAFile => {}
            Outcome::Unreadable(err) => self.error(file, err),
        }
        if self.files.is_multiple_of(128) && !self.bar.is_hidden() {
            self.bar.set_message(format!("{} files", self.files));
            self.bar.set_position(self.bytes);
        }
        Ok(())
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    /// Says what went wrong with a file or folder.
    pub fn error(&mut self, path: &CStr, err: &dyn Display) {
        self.has_failed = true;
        let mut line = b"checksum: ".to_vec();
        push_escaped(&mut line, path);
        line.extend(format!(": {err}\n").into_bytes());
        // That stderr is closed is no reason to end.
        self.bar.suspend(|| drop(io::stderr().write_all(&line)));
    }

    /// Ends with the line that adds it all up.
    pub fn finish(self, workers: usize, lost: u64) -> ExitCode {
        self.bar.finish_and_clear();
        let Self { files, bytes, started, has_failed, .. } = self;
        let seconds = started.elapsed().as_secs_f64();
        say(&format!(
            "{files} files, {bytes} bytes, {seconds:.2} s, {workers} workers, {lost} lost"
        ));
        if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    /// Ends because it cannot go on.
    pub fn abort(self, err: &dyn std::error::Error) -> ExitCode {
        self.bar.finish_and_clear();
        let mut line = format!("checksum: {err}");
        let mut source = err.source();
        while let Some(cause) = source {
            line += &format!(": {cause}");
            source = cause.source();
        }
        say(&line);
        ExitCode::FAILURE
    }
}

fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{spinner} {elapsed_precise}  {msg}  {binary_bytes}  {binary_bytes_per_sec}",
    );
    // No thread makes it tick: under fork there must be none.
    ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A line as sha256sum prints it: where something in the path had to be escaped, it begins with a backslash.
fn push_line(line: &mut Vec<u8>, digest: &[u8; 32], path: &CStr) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let is_plain = path.to_bytes().iter().all(|byte| escaped(*byte).is_none());
    if !is_plain {
        line.push(b'\\');
    }
    for byte in digest {
        line.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    line.extend(b"  ");
    if is_plain {
        line.extend(path.to_bytes());
    } else {
        push_escaped(line, path);
    }
    line.push(b'\n');
}

fn push_escaped(line: &mut Vec<u8>, path: &CStr) {
    for byte in path.to_bytes() {
        match escaped(*byte) {
            Some(letter) => line.extend([b'\\', letter]),
            None => line.push(*byte),
        }
    }
}

fn escaped(byte: u8) -> Option<u8> {
    match byte {
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        b'\\' => Some(b'\\'),
        _ => None,
    }
}
