//! What a list in shared memory can hold.

/// A value in a [`ShareableList`](crate::ShareableList).
///
/// The kinds are those that Python's list takes; nothing else can be stored, by its type. Values of different kinds are
/// never equal, while in Python `1 == 1.0 == True`.
///
/// # Python
///
/// `int` (of 64 bits), `float`, `bool`, `str`, `bytes`, `None`.
///
/// # Examples
///
/// ```
/// use multiproc_shm::Item;
///
/// assert_eq!(Item::from("howdy"), Item::Str("howdy".into()));
/// assert_eq!(Item::from(None::<i64>), Item::None);
/// assert_ne!(Item::from(1), Item::from(true));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A text. Zero characters at its end are not kept.
    Str(String),
    /// A byte string. Zero bytes at its end are not kept.
    Bytes(Vec<u8>),
    /// Nothing.
    None,
}

impl Item {
    /// How many bytes its value takes in a list.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Str(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            _ => size_of::<u64>(),
        }
    }
}

macro_rules! from {
    ($($source:ty => |$value:ident| $item:expr;)*) => {
        $(
            impl From<$source> for Item {
                fn from($value: $source) -> Self {
                    $item
                }
            }
        )*
    };
}

from! {
    i64 => |value| Self::Int(value);
    i32 => |value| Self::Int(value.into());
    i16 => |value| Self::Int(value.into());
    i8 => |value| Self::Int(value.into());
    u32 => |value| Self::Int(value.into());
    u16 => |value| Self::Int(value.into());
    u8 => |value| Self::Int(value.into());
    f64 => |value| Self::Float(value);
    f32 => |value| Self::Float(value.into());
    bool => |value| Self::Bool(value);
    &str => |value| Self::Str(value.into());
    String => |value| Self::Str(value);
    &[u8] => |value| Self::Bytes(value.into());
    Vec<u8> => |value| Self::Bytes(value);
    () => |_nothing| Self::None;
    &Self => |value| value.clone();
}

impl<const N: usize> From<&[u8; N]> for Item {
    fn from(value: &[u8; N]) -> Self {
        Self::Bytes(value.into())
    }
}

impl<T: Into<Self>> From<Option<T>> for Item {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}
