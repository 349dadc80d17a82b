//! What the tests have in common: a watchdog, one run per start method, and looking at processes from outside.
//!
//! A suite says `multiproc::auto_init!();` once, so that its ordinary `#[test]` functions can start processes.

pub mod watchdog;
pub mod methods;
pub mod procfs;
pub mod sleeping;
pub mod held;
pub mod random;
pub mod interrupts;
pub mod streams;
pub mod stderr;
pub mod refusal;
pub mod ledger;
pub mod scratch;
pub mod python;
pub mod step;

pub use held::{context_named, held, held_by, in_child, name_of};
pub use methods::{alone, contexts};
pub use scratch::Scratch;
pub use watchdog::watched;

/// What a test returns, so that `?` may be used in it.
pub type TestResult = Result<(), Box<dyn std::error::Error>>;
