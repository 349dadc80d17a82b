//! The proxy of a shared namespace.

use serde::{Serialize, de::DeserializeOwned};

use super::object;
use crate::{CallError, raise};

typed_proxy! {
    /// A proxy of values by name.
    ///
    /// # If a process dies
    ///
    /// As for any [`Proxy`](crate::Proxy).
    ///
    /// # Python
    ///
    /// `multiprocessing.managers.NamespaceProxy`, whose attributes they are. Names that begin with an
    /// underscore are the proxy's own there; here they are an `AttributeError`.
    ///
    /// # Errors
    ///
    /// All calls return [`CallError`]: `AttributeError` for a name that is not there.
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// let manager = multiproc_managers::Manager::start()?;
    /// let namespace = manager.namespace([("name", "Bob")])?;
    /// namespace.set("job", "Builder")?;
    /// assert_eq!(namespace.get::<String>("job")?, "Builder");
    /// namespace.delete("job")?;
    /// assert_eq!(namespace.to_string(), "Namespace(name='Bob')");
    /// assert!(namespace.set("_hidden", &1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    NamespaceProxy
}

impl NamespaceProxy {
    /// Returns a copy of the value with a name.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__getattribute__")]
    pub fn get<R: DeserializeOwned>(&self, name: &str) -> Result<R, CallError> {
        check(name)?;
        self.proxy.call("__getattribute__", (name,))
    }

    /// Sets the value with a name.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__setattr__")]
    pub fn set(&self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<(), CallError> {
        check(name)?;
        self.proxy.request("__setattr__", vec![name.into(), object(value)?], vec![]).map(drop)
    }

    /// Removes the value with a name.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__delattr__")]
    pub fn delete(&self, name: &str) -> Result<(), CallError> {
        check(name)?;
        self.proxy.call("__delattr__", (name,))
    }
}

/// In Python such names are the proxy's own attributes, which it does not share.
fn check(name: &str) -> Result<(), CallError> {
    if !name.starts_with('_') {
        return Ok(());
    }
    let text = format!("name '{name}' begins with an underscore and is not shared");
    Err(CallError::Raised(Box::new(raise::attribute_error(text))))
}
