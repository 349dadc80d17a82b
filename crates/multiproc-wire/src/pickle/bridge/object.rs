//! Objects inside messages of other formats: as the bytes of a pickle.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
    ser,
};

use super::passage::{self, NAME};
use crate::pickle::{Globals, Limits, Object, Protocol, decode_with, encode};

/// Writes the object as a pickle, in one run of bytes.
///
/// So an object is as deep as it may be, and costs one level of the format around it.
impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(NAME, &Passenger(self))
    }
}

struct Passenger<'a>(&'a Object);

impl Serialize for Passenger<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if passage::offer(self.0) {
            // To our own bridge, which has the object.
            return serializer.serialize_unit();
        }
        let bytes =
            encode(self.0, Protocol::HIGHEST).map_err(|err| ser::Error::custom(err.kind()))?;
        serializer.serialize_bytes(&bytes)
    }
}

/// Reads a pickle, within [`Limits::DEFAULT`] but with any global: its author had it, too.
impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(NAME, Pickle)
    }
}

struct Pickle;

impl<'de> Visitor<'de> for Pickle {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of a pickle")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Object, D::Error> {
        match passage::take() {
            Some(object) => Ok(object),
            None => deserializer.deserialize_byte_buf(self),
        }
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Object, E> {
        // Our writer repeats nothing, so an honest object needs no allowance; each of a thousand would have its own.
        let limits = Limits { globals: Globals::Any, nodes: 0, bytes: 0, ..Limits::DEFAULT };
        decode_with(bytes, limits).map_err(|err| E::custom(err.kind()))
    }

    /// Takes the bytes one by one, from formats that have no other way.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Object, A::Error> {
        let mut bytes = vec![];
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        self.visit_bytes(&bytes)
    }
}
