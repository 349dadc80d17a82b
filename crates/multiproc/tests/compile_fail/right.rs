//! The same calls as in the cases that fail, as they should be.

use multiproc::{Finalizer, FnRef, OnPreloadError, partial, set_forkserver_preload};

#[multiproc::main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let factor = 3;
    multiproc::spawn(|factor: i64, x: i64| factor * x, (factor, 7))?.join()?;
    multiproc::spawn(partial(|factor: i64, x: i64| factor * x, factor), (7,))?.join()?;
    multiproc::spawn(FnRef::new(double), (7,))?.join()?;
    set_forkserver_preload(load, OnPreloadError::Fail);
    Finalizer::with_priority(0, || ()).keep();
    Ok(())
}

fn double(x: i64) -> i64 {
    2 * x
}

fn load() {}
