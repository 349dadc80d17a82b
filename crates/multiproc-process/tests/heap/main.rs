//! Blocks of the heap that go from process to process, by every way there is, and whose holders are killed.
#![expect(clippy::unwrap_used, reason = "a helper may fail the test that calls it")]

multiproc_image::auto_init!();

mod support;
mod methods;
mod forks;
mod kills;
mod storm;
mod limits;
