//! Queues whose users are killed at any moment, what gets lost, and queues of shared objects.

multiproc::auto_init!();

mod bad;
mod items;
mod losses;
mod storm;
