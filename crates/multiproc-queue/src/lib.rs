//! Queues between processes.
mod ring;
