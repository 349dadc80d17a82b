//! Plain Rust values as objects.

use super::{BigInt, Object};

macro_rules! from {
    ($($variant:ident: $($type:ty),*;)*) => {$($(
        impl From<$type> for Object {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )*)*};
}

from! {
    Bool: bool;
    Int: i8, i16, i32, i64, u8, u16, u32;
    Float: f32, f64;
    Str: char, &str, String;
    Bytes: &[u8], Vec<u8>;
    List: Vec<Object>;
}

macro_rules! from_wide {
    ($($type:ty),*) => {$(
        impl From<$type> for Object {
            fn from(value: $type) -> Self {
                match i64::try_from(value) {
                    Ok(value) => Self::Int(value),
                    Err(_) => Self::BigInt(value.into()),
                }
            }
        }
    )*};
}

from_wide!(u64, i128, u128);

impl From<usize> for Object {
    fn from(value: usize) -> Self {
        (value as u64).into()
    }
}

impl From<isize> for Object {
    fn from(value: isize) -> Self {
        Self::Int(value as i64)
    }
}

impl From<BigInt> for Object {
    fn from(value: BigInt) -> Self {
        value.to_i64().map_or(Self::BigInt(value), Self::Int)
    }
}

impl From<()> for Object {
    fn from((): ()) -> Self {
        Self::None
    }
}

impl<T: Into<Object>> From<Option<T>> for Object {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, T::into)
    }
}

macro_rules! from_tuple {
    ($($type:ident $value:ident),*) => {
        impl<$($type: Into<Object>),*> From<($($type,)*)> for Object {
            fn from(($($value,)*): ($($type,)*)) -> Self {
                Self::Tuple(vec![$($value.into()),*])
            }
        }
    };
}

from_tuple!(A a);
from_tuple!(A a, B b);
from_tuple!(A a, B b, C c);
from_tuple!(A a, B b, C c, D d);

impl<K: Into<Object>, V: Into<Object>, const N: usize> From<[(K, V); N]> for Object {
    /// Makes a dict.
    fn from(items: [(K, V); N]) -> Self {
        Self::Dict(items.map(|(key, value)| (key.into(), value.into())).into())
    }
}
