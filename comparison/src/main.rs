//! What others do of what the workspace does, measured beside it: `queues`, `pools`, or both.

mod pools;
mod queues;

use std::error::Error;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    multiproc::init();
    procspawn::init();
    let which = std::env::args().nth(1);
    if which.as_deref().is_none_or(|which| which == "queues") {
        queues::compare()?;
    }
    if which.as_deref().is_none_or(|which| which == "pools") {
        pools::compare()?;
    }
    Ok(())
}

/// The middle one of some figures.
fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
