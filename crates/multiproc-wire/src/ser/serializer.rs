//! Which bytes each of serde's types is written as.

use serde::{Serialize, Serializer};

use super::{
    compound::Counted,
    encoder::{Encoder, Result},
};
use crate::error::EncodeFault;

macro_rules! integers {
    ($($method:ident $type:ty => $write:ident),*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<()> {
            self.$write(value.into());
            Ok(())
        }
    )*};
}

impl<'b, 'a> Serializer for &'b mut Encoder<'a> {
    type Ok = ();
    type Error = EncodeFault;
    type SerializeSeq = Counted<'b, 'a>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Counted<'b, 'a>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn is_human_readable(&self) -> bool {
        false
    }

    integers! {
        serialize_u16 u16 => varint, serialize_u32 u32 => varint, serialize_u64 u64 => varint,
        serialize_i16 i16 => zigzag, serialize_i32 i32 => zigzag, serialize_i64 i64 => zigzag,
        serialize_u128 u128 => varint_128
    }

    fn serialize_i128(self, value: i128) -> Result<()> {
        self.varint_128((value << 1 ^ value >> 127).cast_unsigned());
        Ok(())
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<()> {
        self.serialize_u8(value.into())
    }

    #[inline]
    fn serialize_u8(self, value: u8) -> Result<()> {
        self.bytes.push(value);
        Ok(())
    }

    #[inline]
    fn serialize_i8(self, value: i8) -> Result<()> {
        self.serialize_u8(value.cast_unsigned())
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<()> {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<()> {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<()> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<()> {
        self.serialize_bytes(value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Result<()> {
        self.varint(value.len() as u64);
        self.run(value)
    }

    #[inline]
    fn serialize_none(self) -> Result<()> {
        self.serialize_u8(0)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        self.bytes.push(1);
        self.serialize_newtype_struct("Some", value)
    }

    #[inline]
    fn serialize_unit(self) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _name: &'static str) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
    ) -> Result<()> {
        self.variant(index, 0)?.leave();
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<()> {
        value.serialize(self.enter(0)?)?;
        self.leave();
        Ok(())
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Result<()> {
        value.serialize(self.variant(index, 0)?)?;
        self.leave();
        Ok(())
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Counted<'b, 'a>> {
        self.counted(len)
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Counted<'b, 'a>> {
        self.counted(len)
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self> {
        self.enter(len)
    }

    #[inline]
    fn serialize_tuple_struct(self, _name: &'static str, len: usize) -> Result<Self> {
        self.enter(len)
    }

    #[inline]
    fn serialize_struct(self, _name: &'static str, len: usize) -> Result<Self> {
        self.enter(len)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        len: usize,
    ) -> Result<Self> {
        self.variant(index, len)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        len: usize,
    ) -> Result<Self> {
        self.variant(index, len)
    }
}
