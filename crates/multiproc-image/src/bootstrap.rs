//! What upper floors install in a fresh copy before its function runs.
//!
//! A floor that has something to hand down to every process that is started (the way to the fork server, say) registers
//! a provider. For each start the provider makes an item: a function, and the bytes and descriptors that it gets in the
//! new process. Nothing below has to know what that is.

use std::{os::fd::OwnedFd, ptr, sync::RwLock};

use crate::boot::Entry;

/// Something to be installed in a new process.
#[derive(Debug)]
pub struct Item {
    /// Runs in the new process, before its function and with no other thread beside it.
    pub install: Entry,
    /// What it gets as payload.
    pub bytes: Vec<u8>,
    /// The descriptors it gets.
    pub fds: Vec<OwnedFd>,
}

/// Makes an item for a process that is about to be started, or none where there is nothing to hand down.
pub type Provider = fn() -> Option<Item>;

static PROVIDERS: RwLock<Vec<Provider>> = RwLock::new(Vec::new());

/// Registers a provider; twice registered is once.
pub fn provide(provider: Provider) {
    let Ok(mut providers) = PROVIDERS.write() else { return };
    if !providers.iter().any(|known| ptr::fn_addr_eq(*known, provider)) {
        providers.push(provider);
    }
}

/// Asks every provider, in the order of registration.
pub(crate) fn collect() -> Vec<Item> {
    let providers = PROVIDERS.read().map(|providers| providers.clone()).unwrap_or_default();
    providers.iter().filter_map(|provider| provider()).collect()
}
