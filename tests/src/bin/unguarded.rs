//! A program without an entry hook: the top of its `main` starts a process, by the method that its argument names, or
//! makes shared memory with a name.

use std::{env, error::Error, process::ExitCode};

use multiproc::shared_memory::SharedMemory;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("{err}");
            if let Some(cause) = err.source() {
                eprintln!("{cause}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let method = env::args().nth(1).ok_or("which start method?")?;
    if method == "shared_memory" {
        let untracked = SharedMemory::builder().track(false).create(1)?;
        untracked.unlink()?;
        SharedMemory::create(1)?;
    }
    let process = multiproc::get_context(method.as_str())?.start(|| println!("123"), ())?;
    process.join()?;
    Ok(())
}
