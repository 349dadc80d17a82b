//! A value of a class that is known only by name.

use super::{Global, Object};

/// A value of a class that is known only by name: how Python would make it, which nobody here does.
///
/// The fields are pickle's, in the order in which Python uses them.
///
/// # Python
///
/// What `object.__reduce_ex__` returns.
///
/// # Examples
///
/// ```
/// use multiproc_wire::pickle::{Global, Instance, Made, Object};
///
/// let mut range = Instance::new(Global::new("builtins", "range"), [0.into(), 3.into(), 1.into()]);
/// range.made = Made::Call;
/// assert_eq!(Object::from(range).to_string(), "range(0, 3, 1)");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Its class, or the function that makes it.
    pub class: Global,
    /// How it is made from its arguments.
    pub made: Made,
    /// The positional arguments.
    pub args: Vec<Object>,
    /// The keyword arguments; written only with [`Made::New`] and protocol 4 or newer.
    pub kwargs: Vec<(Object, Object)>,
    /// What is appended to it, if it is a list of some kind.
    pub items: Vec<Object>,
    /// What is set in it, if it is a dict of some kind.
    pub pairs: Vec<(Object, Object)>,
    /// What its `__setstate__` is given, or its `__dict__` is updated with.
    pub state: Option<Object>,
}

impl Instance {
    /// Makes an instance by [`Made::New`], without keyword arguments, content or state.
    #[must_use]
    pub fn new(class: Global, args: impl Into<Vec<Object>>) -> Self {
        let (kwargs, items, pairs, args) = (vec![], vec![], vec![], args.into());
        Self { class, made: Made::New, args, kwargs, items, pairs, state: None }
    }
}

impl From<Instance> for Object {
    fn from(instance: Instance) -> Self {
        Self::Instance(Box::new(instance))
    }
}

/// How Python makes an [`Instance`] from its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Made {
    /// By calling the class's `__new__`, but not its `__init__`.
    New,
    /// By calling the class or function.
    Call,
}
