//! The chores of this repository: `cargo xtask <verb>`.
//!
//! One file per verb. Every verb prints what it does and leaves with status 1 when something is
//! wrong, so a hook or a build server needs to know nothing else.

mod bench;
mod help;
mod parity;
mod test_all;
mod tidy;

mod failures;
mod metadata;
mod repo;

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let (verb, rest) = match args.split_first() {
        Some((verb, rest)) => (verb.as_str(), rest),
        None => ("help", [].as_slice()),
    };
    let result = match verb {
        "test-all" => test_all::run(rest),
        "tidy" => tidy::run(rest),
        "parity" => parity::run(rest),
        "bench" => bench::run(rest),
        "help" | "--help" | "-h" => help::run(),
        unknown => Err(anyhow::anyhow!("unknown verb `{unknown}`; `cargo xtask help` lists them")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("error: {err:#}");
            ExitCode::FAILURE
        }
    }
}
