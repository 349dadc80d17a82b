//! The name of a class or function.

use super::{
    Object,
    globals::{Known, known},
};

/// The name of a class or function in Python, which stays a name: it is never looked up.
///
/// # Python
///
/// What `pickle` writes for a class or function.
///
/// # Examples
///
/// ```
/// use multiproc_wire::pickle::{Global, Object};
///
/// assert_eq!(Object::from(Global::new("builtins", "int")).to_string(), "<class 'int'>");
/// assert!(Global::new("queue", "Empty").is_exception());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Global {
    /// The module, as `collections`.
    pub module: String,
    /// The name inside the module, as `OrderedDict`; with dots if it is inside a class.
    pub name: String,
}

impl Global {
    /// Makes a name from its module and the name inside it.
    #[must_use]
    pub fn new(module: impl Into<String>, name: impl Into<String>) -> Self {
        Self { module: module.into(), name: name.into() }
    }

    /// Returns whether this is that name in that module.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_wire::pickle::Global;
    ///
    /// assert!(Global::new("queue", "Empty").is("queue", "Empty"));
    /// ```
    #[must_use]
    pub fn is(&self, module: &str, name: &str) -> bool {
        self.module == module && self.name == name
    }

    /// Returns whether this names a class of exceptions that we know.
    #[must_use]
    pub fn is_exception(&self) -> bool {
        known(&self.module, &self.name) == Some(Known::Exception)
    }
}

impl From<Global> for Object {
    fn from(global: Global) -> Self {
        Self::Global(Box::new(global))
    }
}
