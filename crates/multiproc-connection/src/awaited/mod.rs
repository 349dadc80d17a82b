//! The calls that wait, awaited: the feature `tokio`.
//!
//! Each is made of attempts that do not wait, with nothing held between them. So a future may be
//! dropped at any moment: what a receive has not returned is still there for the next one, and a
//! send has been made whole or not at all, except on a stream, where a message that has begun is
//! finished by whoever sends next.

mod socket;
mod freed;
mod attending;
mod connection;
mod receiver;
mod sender;
mod client;
#[cfg(feature = "python")]
mod objects;

pub(crate) use self::{attending::Attending, freed::Freed};
