//! Pythons on this machine, and programs run by them.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use multiproc_connection::Address;

/// Echoes bytes.
const ECHO: &str = include_str!("echo.py");
/// Talks objects.
#[cfg(feature = "python")]
pub(crate) const OBJECTS: &str = include_str!("objects.py");
const VERSION: &str = "import sys; print('%d.%d.%d' % sys.version_info[:3])";

/// One Python.
pub(crate) struct Python {
    program: PathBuf,
    version: [u32; 3],
}

impl Python {
    /// Finds every version from 3.8 on, once.
    pub(crate) fn find() -> Vec<Self> {
        let mut programs = vec![PathBuf::from("python3")];
        let versions = env::home_dir().map(|home| home.join(".pyenv/versions"));
        for entry in versions.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten() {
            programs.push(entry.unwrap().path().join("bin/python"));
        }
        let mut found = BTreeMap::new();
        for program in programs {
            if let Some(version) = version(&program)
                && [3, 8, 0] <= version
            {
                found.entry(version).or_insert(Self { program, version });
            }
        }
        found.into_values().collect()
    }

    pub(crate) fn version(&self) -> String {
        let [major, minor, patch] = self.version;
        format!("{major}.{minor}.{patch}")
    }

    /// Knows no digest but MD5.
    pub(crate) fn is_old(&self) -> bool {
        self.version < [3, 12, 0]
    }

    /// Starts the echoing program.
    pub(crate) fn start(&self, what: &str, args: &[&str]) -> Running {
        self.run(ECHO, what, args)
    }

    /// Starts a program.
    pub(crate) fn run(&self, text: &str, what: &str, args: &[&str]) -> Running {
        let mut command = Command::new(&self.program);
        command.args(["-c", text, what]).args(args).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Running { child, lines }
    }
}

fn version(program: &PathBuf) -> Option<[u32; 3]> {
    let output = Command::new(program).args(["-c", VERSION]).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let numbers: Option<Vec<u32>> = text.trim().split('.').map(|part| part.parse().ok()).collect();
    numbers?.try_into().ok()
}

/// The address as a Python literal.
pub(crate) fn literal(address: &Address) -> String {
    match address {
        Address::Tcp(address) => format!("('{}', {})", address.ip(), address.port()),
        Address::Path(path) => format!("{:?}", path.to_str().unwrap()),
        Address::Abstract(name) => format!("b'\\0{}'", str::from_utf8(name).unwrap()),
        other => panic!("{other:?}"),
    }
}

/// A Python at work. Killed when a test fails.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    /// Waits for a line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Waits for its end, which has to be a good one.
    pub(crate) fn finish(&mut self) {
        assert_eq!(self.line(), "", "it has no more to say");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail where it has ended, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
