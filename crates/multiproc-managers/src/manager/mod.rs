//! Managers: servers in processes of their own, or far away.

mod base;
mod builder;
mod registered;
mod launch;
mod sync;
mod memory;

pub use self::{
    base::BaseManager,
    builder::Builder,
    memory::SharedMemoryManager,
    registered::Type,
    sync::{Manager, SyncManager},
};
