//! Managers, their clients, and those who do not behave.
#![expect(clippy::unwrap_used, reason = "a helper may fail the test that calls it")]

multiproc_image::auto_init!();

mod types;
