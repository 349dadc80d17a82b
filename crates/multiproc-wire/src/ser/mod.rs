//! The encoder: postcard's format, counted.

mod encoder;
mod serializer;
mod compound;

pub(crate) use encoder::Encoder;
