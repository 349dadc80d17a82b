//! Pipes, listeners and clients: values, bytes, handles, ends, and many at once.
#![expect(clippy::unwrap_used, reason = "a helper may fail the test that calls it")]

#[path = "../support/watchdog.rs"]
mod watchdog;
mod values;
mod bytes;
mod waiting;
mod ends;
mod handles;
mod sharing;
mod streams;
mod listening;
mod reception;
mod authenticating;
mod python;
