//! The hook belongs on a function.

#[multiproc::main]
struct Main;

fn main() {}
