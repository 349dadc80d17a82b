//! The hook takes no arguments.

#[multiproc::main(spawn)]
fn main() {}
