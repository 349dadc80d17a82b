//! `cargo xtask test-all`: everything that has to pass, in one command.
//!
//! The cheap sections come first. The first one that fails ends the run.

use std::{process::Command, time::Instant};

use anyhow::{Context as _, bail};

use crate::{failures, metadata::Metadata, parity, repo, tidy};

type Section = (&'static str, fn() -> anyhow::Result<()>);

const SECTIONS: [Section; 7] = [
    ("fmt", fmt),
    ("clippy", clippy),
    ("tidy", || tidy::run(&[])),
    ("parity", || parity::run(&[])),
    ("examples", examples),
    ("test", test),
    ("doc", doc),
];

/// Runs every section, with the time each took.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    if let Some(arg) = args.first() {
        bail!("test-all takes no arguments, and was given `{arg}`");
    }
    let whole = Instant::now();
    for (number, (name, section)) in SECTIONS.iter().enumerate() {
        println!("== {}/{} {name}", number + 1, SECTIONS.len());
        let started = Instant::now();
        section().with_context(|| format!("test-all: FAILED in section `{name}`"))?;
        println!("== {name} passed in {:.1} s", started.elapsed().as_secs_f64());
    }
    let seconds = whole.elapsed().as_secs_f64();
    println!("test-all: all {} sections passed in {seconds:.1} s", SECTIONS.len());
    Ok(())
}

fn fmt() -> anyhow::Result<()> {
    repo::check(&mut repo::cargo(&["fmt", "--all", "--check"]))
}

fn clippy() -> anyhow::Result<()> {
    const ARGS: [&str; 7] =
        ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    repo::check(&mut repo::cargo(&ARGS))
}

/// Builds the programs that the tests run.
fn examples() -> anyhow::Result<()> {
    repo::check(&mut repo::cargo(&["build", "--examples", "--package", "multiproc-examples"]))
}

/// Runs unit, integration and doc tests; those of the package `multiproc-tests` run the examples
/// and compare their output.
fn test() -> anyhow::Result<()> {
    match python() {
        Some(version) => println!("interop: with {version}"),
        None => println!("interop: no python3 found, its tests skip themselves"),
    }
    let examples = Metadata::load()?.target_directory.join("debug/examples");
    // Many tests end processes by panics: with a backtrace of each, nobody finds the one that matters.
    failures::check(
        repo::cargo(&["test", "--workspace", "--all-features", "--no-fail-fast"])
            .env("MULTIPROC_EXAMPLES_DIR", examples)
            .env_remove("RUST_BACKTRACE"),
    )
}

fn doc() -> anyhow::Result<()> {
    repo::check(
        repo::cargo(&["doc", "--workspace", "--no-deps", "--all-features"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

/// Returns what `python3 --version` prints, with where it was found.
fn python() -> Option<String> {
    let say = "import sys; print('Python', sys.version.split()[0], 'at', sys.executable)";
    let output = Command::new("python3").args(["-c", say]).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !said.is_empty()).then_some(said)
}
