//! A finalizer without a callback or without a priority.

use multiproc::Finalizer;

fn main() {
    let _ = Finalizer::new();
    let _ = Finalizer::with_priority(|| ());
}
