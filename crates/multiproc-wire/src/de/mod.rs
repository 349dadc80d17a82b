//! The decoder: postcard's format, counted and bounded.

mod decoder;
mod deserializer;
mod access;

pub(crate) use decoder::Decoder;
