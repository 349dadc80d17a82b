//! The parts of compound values, written one after the other.

use serde::{
    Serialize,
    ser::{
        SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};

use super::encoder::{Encoder, Result};
use crate::error::EncodeFault;

/// After how many elements to look whether there are bytes for them.
const STRIDE: usize = 1 << 16;

/// The elements of a sequence or map.
///
/// They are looked at as they come: a vector of units may be of any length without any memory, and
/// must not be walked to its end only to be refused.
pub(crate) struct Counted<'b, 'a> {
    encoder: &'b mut Encoder<'a>,
    len: usize,
    /// How many elements until we look again.
    unseen: usize,
    /// How many there were when we last looked.
    seen: usize,
}

impl<'b, 'a> Counted<'b, 'a> {
    #[inline]
    pub(super) fn new(encoder: &'b mut Encoder<'a>, len: usize) -> Self {
        Self { encoder, len, unseen: STRIDE, seen: 0 }
    }

    #[inline]
    fn element(&mut self) -> Result<()> {
        self.unseen -= 1;
        if self.unseen == 0 { self.look() } else { Ok(()) }
    }

    #[cold]
    fn look(&mut self) -> Result<()> {
        self.unseen = STRIDE;
        self.seen += STRIDE;
        self.encoder.check(self.seen)
    }

    #[inline]
    fn finish(self) -> Result<()> {
        self.encoder.elements = self.encoder.elements.saturating_add(self.len);
        self.encoder.leave();
        if self.encoder.limits.elements < self.encoder.elements {
            return self.encoder.check(0);
        }
        Ok(())
    }
}

impl SerializeSeq for Counted<'_, '_> {
    type Ok = ();
    type Error = EncodeFault;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(&mut *self.encoder)?;
        self.element()
    }

    #[inline]
    fn end(self) -> Result<()> {
        self.finish()
    }
}

impl SerializeMap for Counted<'_, '_> {
    type Ok = ();
    type Error = EncodeFault;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        key.serialize(&mut *self.encoder)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(&mut *self.encoder)?;
        self.element()
    }

    #[inline]
    fn end(self) -> Result<()> {
        self.finish()
    }
}

macro_rules! fields {
    ($($trait:ident $method:ident ($($key:ident)?)),*) => {$(
        impl $trait for &mut Encoder<'_> {
            type Ok = ();
            type Error = EncodeFault;

            #[inline]
            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: &'static str,)?
                value: &T,
            ) -> Result<()> {
                value.serialize(&mut **self)
            }

            #[inline]
            fn end(self) -> Result<()> {
                self.leave();
                Ok(())
            }
        }
    )*};
}

fields! {
    SerializeTuple serialize_element (),
    SerializeTupleStruct serialize_field (),
    SerializeTupleVariant serialize_field (),
    SerializeStruct serialize_field (_name),
    SerializeStructVariant serialize_field (_name)
}
