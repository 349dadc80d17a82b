//! The protocols, apart from where their words live and from who provides sleep: see the README beside this file.
//!
//! They are written over the traits of [`world`], so that the very code that is shipped also runs in a model checker.

pub(crate) mod world;
pub(crate) mod process;
pub(crate) mod patience;
pub(crate) mod hint;
pub(crate) mod lock;
pub(crate) mod semaphore;
pub(crate) mod event;
pub(crate) mod condition;
pub(crate) mod barrier;

#[cfg(test)]
mod model;
#[cfg(test)]
mod played;
