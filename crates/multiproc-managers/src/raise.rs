//! The exceptions that shared objects raise.

use multiproc_wire::pickle::{Exception, Global, Object};

/// Makes an exception of the builtins with one text.
pub(crate) fn builtin(name: &str, text: impl Into<String>) -> Exception {
    Exception::new(Global::new("builtins", name), [text.into().into()])
}

pub(crate) fn type_error(text: impl Into<String>) -> Exception {
    builtin("TypeError", text)
}

pub(crate) fn value_error(text: impl Into<String>) -> Exception {
    builtin("ValueError", text)
}

pub(crate) fn index_error(text: impl Into<String>) -> Exception {
    builtin("IndexError", text)
}

pub(crate) fn runtime_error(text: impl Into<String>) -> Exception {
    builtin("RuntimeError", text)
}

pub(crate) fn attribute_error(text: impl Into<String>) -> Exception {
    builtin("AttributeError", text)
}

pub(crate) fn key_error(key: Object) -> Exception {
    Exception::new(Global::new("builtins", "KeyError"), [key])
}

/// Makes one of the exceptions of Python's module `queue`, which have no text.
pub(crate) fn queue(name: &str) -> Exception {
    Exception::new(Global::new("queue", name), [])
}
