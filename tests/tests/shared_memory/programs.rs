//! The program `shares`, and what it says.

use std::{
    error::Error,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Output, Stdio},
};

use multiproc_tests::procfs;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A scene, to be played to its end.
pub(crate) fn play(arguments: &[&str]) -> Outcome<Output> {
    Ok(Command::new(env!("CARGO_BIN_EXE_shares")).args(arguments).stdin(Stdio::null()).output()?)
}

/// What a program and its tracker have said on standard error.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// True if a block of this name is there.
pub(crate) fn exists(name: &str) -> bool {
    Path::new("/dev/shm").join(name).exists()
}

/// A scene that waits to be told to go on.
pub(crate) struct Scene {
    pub(crate) child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    errors: Option<ChildStderr>,
}

impl Scene {
    pub(crate) fn start(arguments: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shares"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().ok_or("piped")?);
        let errors = child.stderr.take();
        Ok(Self { child, input, output, errors })
    }

    /// The words of its next line.
    pub(crate) fn words(&mut self) -> Outcome<Vec<String>> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.split_whitespace().map(Into::into).collect())
    }

    /// The process that is its tracker.
    pub(crate) fn tracker(&self) -> u32 {
        the_tracker(self.child.id())
    }

    /// Lets it go on.
    pub(crate) fn go_on(&mut self) {
        drop(self.input.take());
    }

    /// Waits until neither it nor its tracker can say anything more; returns what they said on standard error.
    pub(crate) fn last_words(mut self) -> Outcome<String> {
        let mut text = String::new();
        self.errors.take().ok_or("taken once")?.read_to_string(&mut text)?;
        self.child.wait()?;
        Ok(text)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Both fail where it has ended, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The tracker that this process has started.
pub(crate) fn the_tracker(parent: u32) -> u32 {
    let trackers = trackers_of(parent);
    assert_eq!(trackers.len(), 1, "{trackers:?}");
    trackers[0]
}

pub(crate) fn trackers_of(parent: u32) -> Vec<u32> {
    let children = procfs::children_of(parent).into_iter();
    children.filter(|child| procfs::comm(*child) == "ResourceTracker").collect()
}
