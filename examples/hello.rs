//! Runs a function in another process.
//!
//! ```console
//! $ cargo run --example hello
//! hello Bob, from Process-1
//! it took 9 letters
//! ```
//!
//! Python: `p = Process(target=greet, args=('Bob',)); p.start(); p.join()`.

use std::error::Error;

#[multiproc::main]
fn main() -> Result<(), Box<dyn Error>> {
    let process = multiproc::spawn(greet, ("Bob".to_string(),))?;
    println!("it took {} letters", process.result()?);
    Ok(())
}

fn greet(name: String) -> usize {
    let greeting = format!("hello {name}");
    println!("{greeting}, from {}", multiproc::current_process().name());
    greeting.len()
}
