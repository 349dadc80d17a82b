//! The hook belongs on `main`.

#[multiproc::main]
fn start() {}

fn main() {}
