//! Values there and back, broken bytes, and handles on the way.
#![expect(clippy::unwrap_used, reason = "a helper may fail the test that calls it")]

mod zoo;
mod format;
mod garbage;
mod limits;
mod handles;
mod errors;
