//! Queues whose users are killed at any moment, and queues of shared objects.

multiproc::auto_init!();

mod items;
mod storm;
