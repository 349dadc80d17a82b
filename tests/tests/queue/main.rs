//! Queues whose users are killed at any moment.

multiproc::auto_init!();

mod storm;
