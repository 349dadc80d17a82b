//! Starts a child that panics, by each method, and prints what is known of its end.
//!
//! The tests also build it with `panic = "abort"`.

use std::error::Error;

use multiproc::{Context, ProcessError, get_all_start_methods};

#[multiproc::main]
fn main() -> Result<(), Box<dyn Error>> {
    for method in get_all_start_methods() {
        let process = Context::from(method).start(panic_over, (7,))?;
        process.join()?;
        let code = process.exitcode().unwrap_or_default();
        match process.result() {
            Err(ProcessError::Panicked(report)) => println!("{method}: {code}, {report}"),
            other => println!("{method}: {code}, {other:?}"),
        }
    }
    Ok(())
}

fn panic_over(number: u8) -> u8 {
    panic!("no way to go on from {number}");
}
