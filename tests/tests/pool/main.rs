//! The pool: what it returns, what fails, what is left when it ends, and what SIGKILL does to it.

multiproc::auto_init!();

mod results;
mod windows;
mod failures;
mod codec;
mod endings;
mod storms;
mod steps;
mod idleness;
mod shortages;
mod families;
mod limits;
mod equipment;
mod interrupts;
mod reentry;

use multiproc::{Context, Pool, PoolError};

/// A pool under a start method.
fn pool(ctx: &Context, processes: usize) -> Result<Pool, PoolError> {
    Pool::builder().processes(processes).context(ctx.clone()).build()
}

fn abort() {
    std::process::abort()
}

fn square(x: u64) -> u64 {
    x * x
}
