//! The proxy of a shared value.

use serde::{Serialize, de::DeserializeOwned};

use super::object;
use crate::CallError;

/// A type of numbers that Python has a code for.
///
/// # Python
///
/// The codes of the module `array`.
///
/// # Examples
///
/// ```
/// use multiproc_managers::TypeCode;
///
/// assert_eq!((i32::CODE, f64::CODE), ('i', 'd'));
/// ```
pub trait TypeCode: Serialize + DeserializeOwned {
    /// The code.
    const CODE: char;
}

macro_rules! type_codes {
    ($($type:ty: $code:literal,)*) => {$(
        impl TypeCode for $type {
            const CODE: char = $code;
        }
    )*};
}

type_codes! {
    i8: 'b',
    u8: 'B',
    i16: 'h',
    u16: 'H',
    i32: 'i',
    u32: 'I',
    i64: 'q',
    u64: 'Q',
    f32: 'f',
    f64: 'd',
}

typed_proxy! {
    /// A proxy of one shared value.
    ///
    /// # If a process dies
    ///
    /// As for any [`Proxy`](crate::Proxy).
    ///
    /// # Python
    ///
    /// `multiprocessing.managers.ValueProxy`.
    ///
    /// # Errors
    ///
    /// All calls return [`CallError`].
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// let manager = multiproc_managers::Manager::start()?;
    /// let value = manager.value(7i32)?;
    /// value.set(&8)?;
    /// assert_eq!(value.get()?, 8);
    /// assert_eq!(value.to_string(), "Value('i', 8)");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ValueProxy<T>
}

impl<T: Serialize + DeserializeOwned> ValueProxy<T> {
    /// Returns a copy of the value.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn get(&self) -> Result<T, CallError> {
        self.proxy.call("get", ())
    }

    /// Sets the value.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn set(&self, value: &T) -> Result<(), CallError> {
        self.proxy.request("set", vec![object(value)?], vec![]).map(drop)
    }
}
