//! Pickles: to and from Python, there and back, broken, and in excess.
#![expect(clippy::unwrap_used, reason = "a helper may fail the test that calls it")]

mod zoo;
mod opcodes;
mod round_trip;
mod repr;
mod bridge;
mod garbage;
mod limits;
mod python;
