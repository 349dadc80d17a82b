//! Behaviours: pool.* of docs/parity.tsv.
//!
//! - DIFFERENCE: `map` reports the error of the first item that failed by place, not by time.
//! - DIFFERENCE: a slow callback delays other callbacks, but no results.
//! - DIFFERENCE: a lost worker and a terminated pool are errors, never a wait without end.

mod submitting;
mod shapes;
mod workers;
mod errors;
mod ending;

use multiproc::{Connection, Context, Pool, PoolError, connection::Receiver};

/// A pool under a start method.
fn pool(ctx: &Context, processes: usize) -> Result<Pool, PoolError> {
    Pool::builder().processes(processes).context(ctx.clone()).build()
}

fn square(x: u64) -> u64 {
    x * x
}

fn multiply(x: u64, y: u64) -> u64 {
    x * y
}

/// Waits for the word to go on; that nobody can give it any more is a word, too.
fn wait_for_word(line: Receiver<()>) {
    let _ = line.recv();
}

/// Says the process id, then waits for the word to go on.
fn say_pid_and_wait(line: Connection<u32, ()>) -> u32 {
    let _ = line.send(&std::process::id());
    let _ = line.recv();
    std::process::id()
}

/// Parses a number as a program would that expects one.
fn parse(text: String) -> i32 {
    text.parse().unwrap_or_else(|err| panic!("{text}: {err}"))
}
