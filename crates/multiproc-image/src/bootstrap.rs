//! What upper floors install in a fresh copy before its function runs.
//!
//! A floor that has something to hand down to every process that is started (the way to the fork server, say) registers
//! a provider. For each start the provider makes an item: a function, and the bytes and descriptors that it gets in the
//! new process. Nothing below has to know what that is.

use std::{os::fd::OwnedFd, ptr};

use crate::{boot::Entry, published::Published};

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

static PROVIDERS: Published<Vec<Provider>> = Published::new();

/// Registers a provider; twice registered is once.
pub fn provide(provider: Provider) {
    PROVIDERS.add(provider, |known| ptr::fn_addr_eq(*known, provider));
}

/// Asks every provider, in the order of registration.
pub(crate) fn collect() -> Vec<Item> {
    PROVIDERS.items().iter().filter_map(|provider| provider()).collect()
}
