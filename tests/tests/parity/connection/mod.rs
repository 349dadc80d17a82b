//! Pipes, listeners, keys, handles and waits between real processes, under every start method.

mod pipes;
mod handles;
mod listeners;
mod waits;
mod interrupted;
mod keys;
#[cfg(feature = "managers")]
mod servers;
