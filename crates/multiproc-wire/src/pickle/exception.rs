//! An exception, as one end tells the other about it.

use super::{Global, Object};

/// An exception that was, or is to be, raised in Python.
///
/// It has neither traceback nor cause: Python does not send them.
///
/// # Python
///
/// An instance of a class derived from `BaseException`.
///
/// # Examples
///
/// ```
/// use multiproc_wire::pickle::{Exception, Global, Object};
///
/// let full = Exception::new(Global::new("queue", "Full"), []);
/// assert_eq!(full.to_string(), "Full()");
///
/// let object = Object::exception("OSError", [2.into(), "no such file".into()]);
/// let exception = object.as_exception().unwrap();
/// assert!(exception.class.is("builtins", "OSError"));
/// assert_eq!(exception.args[0].as_int(), Some(2));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Exception {
    /// Its class.
    pub class: Global,
    /// What the class was called with.
    pub args: Vec<Object>,
    /// Its attributes by name, as `name` and `path` of an `ImportError`, `__notes__` of any.
    pub attributes: Vec<(Object, Object)>,
}

impl Exception {
    /// Makes an exception without attributes.
    #[must_use]
    pub fn new(class: Global, args: impl Into<Vec<Object>>) -> Self {
        Self { class, args: args.into(), attributes: vec![] }
    }
}

impl From<Exception> for Object {
    fn from(exception: Exception) -> Self {
        Self::Exception(Box::new(exception))
    }
}
