//! The Pythons on this machine.

use std::{
    collections::BTreeMap,
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

const VERSION: &str = "import sys; print('%d.%d.%d' % sys.version_info[:3])";

/// One Python.
pub struct Python {
    program: PathBuf,
    version: [u32; 3],
}

impl Python {
    /// Returns every version from 3.8 on, of `python3` and of what pyenv has installed.
    ///
    /// Where there is none this says so, past the test harness: a test that is skipped must not look like one that
    /// passed.
    pub fn all() -> &'static [Self] {
        static FOUND: OnceLock<Vec<Python>> = OnceLock::new();
        FOUND.get_or_init(|| {
            let found = find();
            if found.is_empty() {
                let _ = writeln!(std::io::stderr().lock(), "skipped: no python3 was found");
            }
            found
        })
    }

    /// Starts to describe a run of a program.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-c", program]);
        command
    }

    /// Returns the version, as `3.11.7`.
    pub fn version(&self) -> String {
        let [major, minor, patch] = self.version;
        format!("{major}.{minor}.{patch}")
    }
}

fn find() -> Vec<Python> {
    let mut programs = vec![PathBuf::from("python3")];
    let versions = env::home_dir().map(|home| home.join(".pyenv/versions"));
    for entry in versions.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten() {
        programs.extend(entry.map(|entry| entry.path().join("bin/python")));
    }
    let mut found = BTreeMap::new();
    for program in programs {
        match version(&program) {
            Some(version) if [3, 8, 0] <= version => {
                found.entry(version).or_insert(Python { program, version });
            }
            _ => {}
        }
    }
    found.into_values().collect()
}

fn version(program: &Path) -> Option<[u32; 3]> {
    let mut command = Command::new(program);
    let output = command.args(["-c", VERSION]).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let numbers: Option<Vec<u32>> = text.trim().split('.').map(|part| part.parse().ok()).collect();
    numbers?.try_into().ok()
}
