//! Ours beside the raw limit and beside CPython: what `cargo xtask bench` runs.
//!
//! Each case is measured in a fresh copy of this program, so that no case disturbs another's
//! memory. The runner asks the copies, and the Python script, for one round after the other.

mod ours;
mod raw;

mod case;
mod memory;

mod machine;
mod options;
mod peer;
mod report;
mod rows;
mod runner;

use std::{error::Error, process::ExitCode};

use options::Options;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    raw::entry_hook();
    multiproc::init();
    match run() {
        Ok(code) => code,
        Err(err) => {
            eprintln!("error: {err}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    match Options::from_args()? {
        Options::Case(name) => case::serve(&name).map(|()| ExitCode::SUCCESS),
        Options::Run { names, check, rounds } => runner::run(&names, check, rounds),
    }
}
