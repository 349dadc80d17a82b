//! A process that answers one line with one line: a case of ours, or the Python script.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::{
    Result,
    case::{Figures, Plan},
};

/// The process, and both ends of the talk. It ends when this is dropped.
pub(crate) struct Peer {
    name: String,
    child: Child,
    // Taken by `drop`, for the end of its input is what tells the process to end.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts the process that measures a case.
    ///
    /// It runs from a copy of this executable in `folder`. The runner would else be one more
    /// process that shares the pages of those that are weighed, and make them look lighter.
    pub(crate) fn case(plan: &Plan, folder: &Path) -> Result<Self> {
        let copy = folder.join("case");
        if !copy.exists() {
            fs::copy(env::current_exe()?, &copy)?;
        }
        let mut command = Command::new(copy);
        command.args(["--case", plan.name]);
        Self::start(plan.name.to_owned(), command)
    }

    /// Starts CPython with as much memory touched, or returns `None` where there is none.
    pub(crate) fn python(plan: &Plan) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/serve.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(plan.touched_mib.to_string());
        let mut peer = Self::start("python3".to_owned(), command).ok()?;
        peer.name = peer.answer().ok()?;
        Some(peer)
    }

    fn start(name: String, mut command: Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("stdout is piped")?);
        Ok(Self { name, child, orders, answers })
    }

    /// Returns what it is: for Python, the version that it said it is.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Has it do one round.
    pub(crate) fn round(&mut self, order: &str) -> Result<Figures> {
        let orders = self.orders.as_mut().ok_or("the input is open")?;
        writeln!(orders, "{order}").map_err(|err| format!("{}: {err}", self.name))?;
        let answer = self.answer()?;
        let figures: std::result::Result<Figures, _> =
            answer.split_whitespace().map(str::parse).collect();
        figures.map_err(|_| format!("{} answered `{answer}`", self.name).into())
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line)? {
            0 => Err(format!("{} ended without an answer", self.name).into()),
            _ => Ok(line.trim().to_owned()),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.child.wait();
    }
}
