//! Says that its `main` runs, waits for the end of its standard input, and starts a process by each method.

use std::{
    error::Error,
    io::{Write, stdin, stdout},
};

use multiproc::{Context, get_all_start_methods};

#[multiproc::main]
fn main() -> Result<(), Box<dyn Error>> {
    println!("main runs");
    stdout().flush()?;
    std::io::copy(&mut stdin(), &mut std::io::sink())?;
    for method in get_all_start_methods() {
        let process = Context::from(method).start(|a: u8, b: u8| a * b, (6, 7))?;
        println!("{method}: {}", process.result()?);
    }
    Ok(())
}
