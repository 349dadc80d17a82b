//! The parts of containers, read one after the other.

use std::vec;

use serde::de::{
    self, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};

use super::{
    Result,
    deserializer::{ObjectDeserializer, unexpected},
};
use crate::pickle::{Object, error::Fault};
use serde::Deserializer;

/// The elements of a list, tuple or set.
pub(super) struct Items {
    pub(super) items: vec::IntoIter<Object>,
    pub(super) depth: usize,
}

impl Items {
    /// Checks that all elements were wanted.
    pub(super) fn finish(self) -> Result<()> {
        match self.items.len() {
            0 => Ok(()),
            more => Err(de::Error::custom(format_args!("{more} elements more than expected"))),
        }
    }
}

impl<'de> SeqAccess<'de> for Items {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(object) = self.items.next() else { return Ok(None) };
        seed.deserialize(ObjectDeserializer { object, depth: self.depth }).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// The items of a dict.
pub(super) struct Pairs {
    pairs: vec::IntoIter<(Object, Object)>,
    /// What belongs to the key that was read last.
    value: Object,
    depth: usize,
}

impl Pairs {
    pub(super) fn new(pairs: Vec<(Object, Object)>, depth: usize) -> Self {
        Self { pairs: pairs.into_iter(), value: Object::None, depth }
    }

    /// Checks that all items were wanted.
    pub(super) fn finish(self) -> Result<()> {
        match self.pairs.len() {
            0 => Ok(()),
            more => Err(de::Error::custom(format_args!("{more} items more than expected"))),
        }
    }
}

impl<'de> MapAccess<'de> for Pairs {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some((object, value)) = self.pairs.next() else { return Ok(None) };
        self.value = value;
        seed.deserialize(ObjectDeserializer { object, depth: self.depth }).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let object = std::mem::take(&mut self.value);
        seed.deserialize(ObjectDeserializer { object, depth: self.depth })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.pairs.len())
    }
}

/// An enum: the name of its variant, then what the variant holds.
pub(super) struct Variant {
    pub(super) name: Object,
    pub(super) value: Option<Object>,
    pub(super) depth: usize,
}

impl Variant {
    fn value(self, expected: &dyn de::Expected) -> Result<ObjectDeserializer> {
        match self.value {
            Some(object) => Ok(ObjectDeserializer { object, depth: self.depth }),
            None => Err(de::Error::invalid_type(Unexpected::UnitVariant, expected)),
        }
    }
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(mut self, seed: V) -> Result<(V::Value, Self)> {
        let object = std::mem::take(&mut self.name);
        let name = seed.deserialize(ObjectDeserializer { object, depth: self.depth })?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant {
    type Error = Fault;

    fn unit_variant(self) -> Result<()> {
        match self.value {
            None | Some(Object::None) => Ok(()),
            Some(object) => Err(unexpected(&object, &"unit variant")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.value(&"newtype variant")?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        self.value(&"tuple variant")?.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.value(&"struct variant")?.deserialize_struct("", fields, visitor)
    }
}
