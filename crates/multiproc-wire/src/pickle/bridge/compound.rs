//! Objects that are made part by part.

use std::mem;

use serde::{Serialize, ser};

use super::{
    Result,
    serializer::{ObjectSerializer, tagged},
};
use crate::pickle::{Object, ObjectErrorKind, error::Fault};

/// The elements of a list.
pub(super) struct Items {
    inside: ObjectSerializer,
    items: Vec<Object>,
}

impl Items {
    pub(super) fn new(inside: ObjectSerializer) -> Self {
        // A length may be anything: there is room once there are elements.
        Self { inside, items: vec![] }
    }
}

impl ser::SerializeSeq for Items {
    type Ok = Object;
    type Error = Fault;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.items.push(value.serialize(self.inside)?);
        Ok(())
    }

    fn end(self) -> Result<Object> {
        Ok(Object::List(self.items))
    }
}

/// The elements of a tuple.
pub(super) struct Tuple {
    inside: ObjectSerializer,
    items: Vec<Object>,
    variant: Option<&'static str>,
}

impl Tuple {
    pub(super) fn new(inside: ObjectSerializer, variant: Option<&'static str>) -> Self {
        Self { inside, items: vec![], variant }
    }
}

macro_rules! tuple {
    ($($trait:path: $method:ident),*) => {$(
        impl $trait for Tuple {
            type Ok = Object;
            type Error = Fault;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.items.push(value.serialize(self.inside)?);
                Ok(())
            }

            fn end(self) -> Result<Object> {
                Ok(tagged(self.variant, Object::Tuple(self.items)))
            }
        }
    )*};
}

tuple! {
    ser::SerializeTuple: serialize_element,
    ser::SerializeTupleStruct: serialize_field,
    ser::SerializeTupleVariant: serialize_field
}

/// The items of a dict.
pub(super) struct Pairs {
    inside: ObjectSerializer,
    pairs: Vec<(Object, Object)>,
    /// The key whose value comes next.
    key: Object,
    variant: Option<&'static str>,
}

impl Pairs {
    pub(super) fn new(inside: ObjectSerializer, variant: Option<&'static str>) -> Self {
        Self { inside, pairs: vec![], key: Object::None, variant }
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<()> {
        self.pairs.push((name.into(), value.serialize(self.inside)?));
        Ok(())
    }

    fn finish(self) -> Result<Object> {
        Ok(tagged(self.variant, Object::Dict(self.pairs)))
    }
}

impl ser::SerializeMap for Pairs {
    type Ok = Object;
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.key = hashable(key.serialize(self.inside)?);
        match self.key.unhashable() {
            None => Ok(()),
            Some(object) => {
                let type_name = object.type_name().to_owned();
                Err(ObjectErrorKind::Unhashable { type_name }.into())
            }
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.pairs.push((mem::take(&mut self.key), value.serialize(self.inside)?));
        Ok(())
    }

    fn end(self) -> Result<Object> {
        self.finish()
    }
}

/// Turns lists into tuples, which may be keys.
fn hashable(key: Object) -> Object {
    match key {
        Object::List(items) | Object::Tuple(items) => {
            Object::Tuple(items.into_iter().map(hashable).collect())
        }
        key => key,
    }
}

impl ser::SerializeStruct for Pairs {
    type Ok = Object;
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<()> {
        self.field(name, value)
    }

    fn end(self) -> Result<Object> {
        self.finish()
    }
}

impl ser::SerializeStructVariant for Pairs {
    type Ok = Object;
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<()> {
        self.field(name, value)
    }

    fn end(self) -> Result<Object> {
        self.finish()
    }
}
