//! Synchronisation objects whose users are killed, and kernels that cannot help.

multiproc::auto_init!();

mod steps;
mod storms;
mod endings;
mod waiters;
mod mutex;
mod many;
mod refusals;
