//! A program without an entry hook: the top of its `main` starts a process, by the method that its argument names.

use std::{env, error::Error, process::ExitCode};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("{err}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let method = env::args().nth(1).ok_or("which start method?")?;
    let process = multiproc::get_context(method.as_str())?.start(|| println!("123"), ())?;
    process.join()?;
    Ok(())
}
