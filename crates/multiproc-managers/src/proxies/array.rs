//! The proxy of a shared array.

use multiproc_wire::pickle::Object;
use serde::de::DeserializeOwned;

use super::{TypeCode, object};
use crate::CallError;

typed_proxy! {
    /// A proxy of shared numbers of one type.
    ///
    /// # If a process dies
    ///
    /// As for any [`Proxy`](crate::Proxy).
    ///
    /// # Python
    ///
    /// `multiprocessing.managers.ArrayProxy`.
    ///
    /// # Errors
    ///
    /// All calls return [`CallError`]: `IndexError` where there is no such item.
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// let manager = multiproc_managers::Manager::start()?;
    /// let array = manager.array([0i32, 1])?;
    /// array.set(0, 5)?;
    /// assert_eq!(array.to_vec()?, [5, 1]);
    /// assert_eq!(array.to_string(), "array('i', [5, 1])");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ArrayProxy<T>
}

impl<T: TypeCode + DeserializeOwned> ArrayProxy<T> {
    /// Returns the number of items.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn len(&self) -> Result<usize, CallError> {
        self.proxy.call("__len__", ())
    }

    /// Returns whether there are no items.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn is_empty(&self) -> Result<bool, CallError> {
        Ok(self.len()? == 0)
    }

    /// Returns the item at `index`; negative ones count from the end.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__getitem__")]
    pub fn get(&self, index: isize) -> Result<T, CallError> {
        self.proxy.call("__getitem__", (index,))
    }

    /// Sets the item at `index`; negative ones count from the end.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__setitem__")]
    pub fn set(&self, index: isize, value: T) -> Result<(), CallError> {
        self.proxy.request("__setitem__", vec![index.into(), object(&value)?], vec![]).map(drop)
    }

    /// Returns all items.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn to_vec(&self) -> Result<Vec<T>, CallError> {
        match self.proxy.get_value::<Object>()? {
            Object::Instance(mut array) if array.class.is("array", "array") => {
                match array.args.pop() {
                    Some(Object::Bytes(bytes)) => unpack(&bytes),
                    Some(items) => self.proxy.read(items),
                    None => Ok(vec![]),
                }
            }
            other => self.proxy.read(other),
        }
    }
}

/// Reads what a CPython's `array.tobytes` has written.
fn unpack<T: TypeCode + DeserializeOwned>(bytes: &[u8]) -> Result<Vec<T>, CallError> {
    let items = crate::types::unpacked(T::CODE, bytes)
        .map_err(|exception| CallError::Raised(Box::new(exception)))?;
    multiproc_wire::pickle::from_object(Object::List(items)).map_err(CallError::Decode)
}
