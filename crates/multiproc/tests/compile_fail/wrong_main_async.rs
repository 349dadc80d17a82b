//! The hook comes before any runtime.

#[multiproc::main]
async fn main() {}
