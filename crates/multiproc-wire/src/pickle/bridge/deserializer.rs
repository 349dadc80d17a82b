//! What each object can be read as.

use serde::{
    Deserializer,
    de::{
        self, Unexpected, Visitor,
        value::{SeqDeserializer, UnitDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{
    Result,
    access::{Items, Pairs, Variant},
    passage::{self, NAME},
};
use crate::pickle::{BigInt, Object, ObjectErrorKind, error::Fault, limits::MAX_DEPTH};

/// Reads an object, with so many levels below it.
pub(super) struct ObjectDeserializer {
    pub(super) object: Object,
    pub(super) depth: usize,
}

impl ObjectDeserializer {
    /// Returns how many levels there may be below what stands inside this one.
    fn inside(&self) -> Result<usize> {
        let depth = self.depth.checked_sub(1);
        Ok(depth.ok_or(ObjectErrorKind::TooDeep { limit: MAX_DEPTH })?)
    }

    fn visit_items<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let depth = self.inside()?;
        match self.object {
            Object::List(items)
            | Object::Tuple(items)
            | Object::Set(items)
            | Object::FrozenSet(items) => {
                let mut items = Items { items: items.into_iter(), depth };
                let value = visitor.visit_seq(&mut items)?;
                items.finish()?;
                Ok(value)
            }
            Object::Bytes(bytes) | Object::ByteArray(bytes) => {
                let mut bytes = SeqDeserializer::<_, Fault>::new(bytes.into_iter());
                let value = visitor.visit_seq(&mut bytes)?;
                bytes.end()?;
                Ok(value)
            }
            object => Err(unexpected(&object, &visitor)),
        }
    }

    fn visit_pairs<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let depth = self.inside()?;
        let pairs = match self.object {
            Object::Dict(pairs) => pairs,
            Object::Instance(instance) if instance.class.is("collections", "OrderedDict") => {
                instance.pairs
            }
            object => return Err(unexpected(&object, &visitor)),
        };
        let mut pairs = Pairs::new(pairs, depth);
        let value = visitor.visit_map(&mut pairs)?;
        pairs.finish()?;
        Ok(value)
    }
}

macro_rules! hinted {
    ($($method:ident($($arg:ident: $type:ty),*) $visit:ident),*) => {$(
        fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value> {
            $(let _: $type = $arg;)*
            self.$visit(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for ObjectDeserializer {
    type Error = Fault;

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct identifier
    }

    hinted! {
        deserialize_seq() visit_items,
        deserialize_tuple(len: usize) visit_items,
        deserialize_tuple_struct(name: &'static str, len: usize) visit_items,
        deserialize_map() visit_pairs
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.object {
            Object::None => visitor.visit_unit(),
            Object::Bool(value) => visitor.visit_bool(value),
            Object::Int(value) => visitor.visit_i64(value),
            Object::BigInt(value) => visit_big_int(&value, visitor),
            Object::Float(value) => visitor.visit_f64(value),
            Object::Str(text) => visitor.visit_string(text),
            Object::Bytes(bytes) | Object::ByteArray(bytes) => visitor.visit_byte_buf(bytes),
            Object::List(_) | Object::Tuple(_) | Object::Set(_) | Object::FrozenSet(_) => {
                self.visit_items(visitor)
            }
            Object::Dict(_) | Object::Instance(_) => self.visit_pairs(visitor),
            object => Err(unexpected(&object, &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.object {
            Object::None => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name == NAME {
            let nothing = UnitDeserializer::new();
            return passage::hand_over(self.object, || visitor.visit_newtype_struct(nothing));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.object {
            Object::List(_) | Object::Tuple(_) => self.visit_items(visitor),
            _ => self.visit_pairs(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let depth = self.inside()?;
        match self.object {
            Object::Str(_) => visitor.visit_enum(Variant { name: self.object, value: None, depth }),
            Object::Dict(mut pairs) if pairs.len() == 1 => match pairs.pop() {
                Some((name, value)) => {
                    visitor.visit_enum(Variant { name, value: Some(value), depth })
                }
                None => Err(de::Error::custom("dict is empty")),
            },
            object => Err(unexpected(&object, &"the name of a variant, or a dict of one item")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }
}

fn visit_big_int<'de, V: Visitor<'de>>(value: &BigInt, visitor: V) -> Result<V::Value> {
    if let Some(value) = value.to_i64() {
        visitor.visit_i64(value)
    } else if let Some(value) = value.to_u64() {
        visitor.visit_u64(value)
    } else if let Some(value) = value.to_i128() {
        visitor.visit_i128(value)
    } else if let Some(value) = value.to_u128() {
        visitor.visit_u128(value)
    } else {
        Err(de::Error::invalid_type(Unexpected::Other("int of more than 128 bits"), &visitor))
    }
}

#[cold]
pub(super) fn unexpected(object: &Object, expected: &dyn de::Expected) -> Fault {
    let unexpected = match object {
        Object::None => Unexpected::Other("None"),
        Object::Bool(value) => Unexpected::Bool(*value),
        Object::Int(value) => Unexpected::Signed(*value),
        Object::Float(value) => Unexpected::Float(*value),
        Object::Str(text) => Unexpected::Str(text),
        Object::Surrogates(_) => Unexpected::Other("str with lone surrogates"),
        object => Unexpected::Other(object.type_name()),
    };
    de::Error::invalid_type(unexpected, expected)
}
