//! The raw limits: the same work by the bare kernel, with nothing around it.
//!
//! Nothing here may use `multiproc`: what is compared must not be made of what it is compared with.

mod array;
mod exec;
mod fork;
mod idle;
mod pool;
mod replies;
mod ring;
mod server;
mod sync;
mod talk;

pub(crate) use array::{copy, sum};
pub(crate) use exec::Image;
pub(crate) use fork::fork_and_wait;
pub(crate) use idle::{forked_idle_memory, say_ready_and_wait, spawned_idle_memory};
pub(crate) use pool::{
    add_up, bytes_there_and_back, forks, map_and_sum, parked_exchange, spinning_exchange, squares,
};
pub(crate) use replies::{Replies, SHORT};
pub(crate) use ring::{Flow, ring_flow, word_trip};
pub(crate) use server::Server;
pub(crate) use sync::{compare_exchange_pair, counter, death, robust_pair, round_trip};
pub(crate) use talk::{Framing, echo, flow};

use std::{
    env, io,
    os::fd::{BorrowedFd, RawFd},
};

/// The variable that tells a fresh copy of this executable to be a raw child.
const ORDER: &str = "MULTIPROC_BENCH_RAW";

/// Does what a raw child has to do and never returns, or returns at once in every other process.
///
/// This is the entry hook in its cheapest form, and has to be the first statement of `main`.
pub(crate) fn entry_hook() {
    let Some(order) = env::var_os(ORDER) else { return };
    match order.to_str().and_then(|order| order.strip_prefix("idle:")) {
        Some(ready) => idle::say_ready_and_wait(ready.parse().unwrap_or(-1)),
        None => fork::exit_now(0),
    }
}

/// Turns the C library's -1 into the error it left behind.
fn checked(returned: libc::c_int) -> io::Result<libc::c_int> {
    if returned == -1 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

/// Writes one byte, and lets a failure show as silence on the other side.
fn write_byte(fd: BorrowedFd<'_>) {
    let _ = rustix::io::write(fd, b"r");
}

/// A descriptor's number as an order for a raw child.
fn idle_order(ready: RawFd) -> String {
    format!("idle:{ready}")
}
