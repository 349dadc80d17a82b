//! Managers, their types and their proxies.
//!
//! DIFFERENCE: a manager that is neither started nor connected is a builder, and one that was shut
//! down is gone, so what Python answers with "already started", "not yet started" and "has shut down"
//! does not compile.
//! DIFFERENCE: keys are no part of proxies; a process is started with the key that it needs.
//! OMITTED: the serializer `xmlrpclib`.

mod containers;
mod nested;
mod synchronized;
mod queues;
mod pools;
mod custom;
mod lifecycle;
mod proxies;
mod remote;
mod strangers;
#[cfg(feature = "tls")]
mod tls;
mod memory;
mod python;
