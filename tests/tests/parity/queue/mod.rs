//! Area `queue`.
//!
//! DIFFERENCE: items lie in shared memory when `put` returns, so there is a feeder thread only while there is no room.
//! DIFFERENCE: an item that cannot be encoded is the error of the `put`, with the item inside.
//! DIFFERENCE: a queue can be part of any message.

mod putting;
mod taking;
mod closing;
mod processes;
mod kills;
