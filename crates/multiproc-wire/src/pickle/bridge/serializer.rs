//! Which object each of serde's types becomes.

use serde::{Serialize, Serializer};

use super::{
    Result,
    compound::{Items, Pairs, Tuple},
    passage::{self, Arrival, NAME},
};
use crate::pickle::{
    Globals, Limits, Object, ObjectErrorKind, decode_with, error::Fault, limits::MAX_DEPTH,
};

/// Makes an object, with so many levels below it.
#[derive(Clone, Copy)]
pub(super) struct ObjectSerializer {
    pub(super) depth: usize,
}

impl ObjectSerializer {
    /// Returns the serializer for what stands inside a container.
    pub(super) fn inside(self) -> Result<Self> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or(ObjectErrorKind::TooDeep { limit: MAX_DEPTH })?;
        Ok(Self { depth })
    }
}

/// Returns the object, or a dict that holds it under the name of its variant.
pub(super) fn tagged(variant: Option<&str>, object: Object) -> Object {
    match variant {
        Some(name) => Object::Dict(vec![(name.into(), object)]),
        None => object,
    }
}

macro_rules! scalars {
    ($($method:ident $type:ty),*) => {$(
        fn $method(self, value: $type) -> Result<Object> {
            Ok(value.into())
        }
    )*};
}

impl Serializer for ObjectSerializer {
    type Ok = Object;
    type Error = Fault;
    type SerializeSeq = Items;
    type SerializeTuple = Tuple;
    type SerializeTupleStruct = Tuple;
    type SerializeTupleVariant = Tuple;
    type SerializeMap = Pairs;
    type SerializeStruct = Pairs;
    type SerializeStructVariant = Pairs;

    scalars! {
        serialize_bool bool,
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64, serialize_i128 i128,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_u128 u128,
        serialize_f32 f32, serialize_f64 f64,
        serialize_char char, serialize_str &str, serialize_bytes &[u8]
    }

    fn serialize_none(self) -> Result<Object> {
        Ok(Object::None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Object> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Object> {
        Ok(Object::None)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Object> {
        Ok(Object::None)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Object> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Object> {
        if name != NAME {
            return value.serialize(self);
        }
        let (result, arrival) = passage::await_object(self.depth, || value.serialize(self));
        match (arrival, result?) {
            (Arrival::Object(object), _) => Ok(object),
            (Arrival::TooDeep, _) => Err(ObjectErrorKind::TooDeep { limit: MAX_DEPTH }.into()),
            // It was kept as a pickle meanwhile, as serde does with tagged enums inside each other.
            (Arrival::Nothing, Object::Bytes(bytes)) => {
                let limits = Limits { depth: self.depth, globals: Globals::Any, ..Limits::DEFAULT };
                decode_with(&bytes, limits).map_err(|err| serde::ser::Error::custom(err.kind()))
            }
            (Arrival::Nothing, object) => Ok(object),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Object> {
        Ok(tagged(Some(variant), value.serialize(self.inside()?)?))
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Items> {
        Ok(Items::new(self.inside()?))
    }

    fn serialize_tuple(self, _len: usize) -> Result<Tuple> {
        Ok(Tuple::new(self.inside()?, None))
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Tuple> {
        Ok(Tuple::new(self.inside()?, None))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Tuple> {
        Ok(Tuple::new(self.inside()?.inside()?, Some(variant)))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Pairs> {
        Ok(Pairs::new(self.inside()?, None))
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Pairs> {
        Ok(Pairs::new(self.inside()?, None))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Pairs> {
        Ok(Pairs::new(self.inside()?.inside()?, Some(variant)))
    }
}
