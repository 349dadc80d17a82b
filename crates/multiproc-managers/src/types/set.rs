//! A shared set.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use multiproc_wire::pickle::{Exception, Object};

use super::{Iter, locked};
use crate::{
    Answer, Call, Reply, Shared, raise,
    values::{Held, Key, elements},
};

type Members = BTreeMap<Key, Held>;

/// A set that lives in a manager's server.
///
/// # Python
///
/// The `set` of a manager, since 3.14.
#[derive(Debug, Default)]
pub struct Set(Mutex<Members>);

const METHODS: &[&str] = &[
    "__and__",
    "__contains__",
    "__ge__",
    "__gt__",
    "__iand__",
    "__ior__",
    "__isub__",
    "__iter__",
    "__ixor__",
    "__le__",
    "__len__",
    "__lt__",
    "__or__",
    "__rand__",
    "__ror__",
    "__rsub__",
    "__rxor__",
    "__sub__",
    "__xor__",
    "add",
    "clear",
    "copy",
    "difference",
    "difference_update",
    "discard",
    "intersection",
    "intersection_update",
    "isdisjoint",
    "issubset",
    "issuperset",
    "pop",
    "remove",
    "symmetric_difference",
    "symmetric_difference_update",
    "union",
    "update",
];

impl Set {
    /// Makes an empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn create(mut call: Call) -> Result<Arc<dyn Shared>, Exception> {
        let mut args = call.take_args();
        let iterable = args.object("iterable").unwrap_or(Object::List(vec![]));
        let members = members(iterable, &call)?;
        args.finish()?;
        Ok(Arc::new(Self(Mutex::new(members))))
    }

    fn answer(&self, method: &str, mut call: Call) -> Result<Answer, Exception> {
        let mut args = call.take_args();
        // Before the lock: another argument may be a proxy of this very set.
        let mut others = vec![];
        if !BY_VALUE.contains(&method) {
            while let Some(other) = args.object("other") {
                others.push(members(other, &call)?);
            }
        }
        let mut set = locked(&self.0);
        let set = &mut *set;
        let mut result = Object::None;
        match method {
            "__len__" => result = set.len().into(),
            "__contains__" => {
                result = set.contains_key(&Key::of(&args.required("value")?)?).into();
            }
            "__iter__" => {
                // What they refer to is there as long as the iterator is.
                let items: Vec<_> = set.values().cloned().collect();
                let step = move |at| items.get(at).map(|item: &Held| Ok(item.object.clone()));
                let object = Arc::new(Iter::new((0..).map_while(step)));
                return Ok(Answer::Shared { typeid: "Iterator".to_owned(), object });
            }
            "add" => {
                let value = args.required("value")?;
                set.entry(Key::of(&value)?).or_insert_with(|| call.hold(value));
            }
            "discard" => drop(set.remove(&Key::of(&args.required("value")?)?)),
            "remove" => {
                let value = args.required("value")?;
                set.remove(&Key::of(&value)?).ok_or_else(|| raise::key_error(value))?;
            }
            "pop" => {
                let empty = || raise::key_error("pop from an empty set".into());
                args.finish()?;
                return Ok(set.pop_first().ok_or_else(empty)?.1.into());
            }
            "clear" => set.clear(),
            "copy" => result = Object::Set(copies(set).collect()),
            "isdisjoint" | "issubset" | "issuperset" | "__le__" | "__ge__" | "__lt__"
            | "__gt__" => {
                let [other] = &others[..] else {
                    return Err(raise::type_error(format!("{method}() takes one argument")));
                };
                result = related(method, set, other).into();
            }
            "update"
            | "__ior__"
            | "intersection_update"
            | "__iand__"
            | "difference_update"
            | "__isub__"
            | "symmetric_difference_update"
            | "__ixor__" => *set = combined(method, std::mem::take(set), others),
            _ if METHODS.contains(&method) => {
                result = Object::Set(copies(&combined(method, set.clone(), others)).collect());
            }
            _ => return Err(raise::attribute_error(format!("set has no method '{method}'"))),
        }
        args.finish()?;
        Ok(result.into())
    }
}

/// The methods whose argument is a member, not another set.
const BY_VALUE: &[&str] = &["__contains__", "add", "discard", "remove"];

impl Shared for Set {
    fn methods(&self) -> &'static [&'static str] {
        METHODS
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        let method = std::mem::take(&mut call.method);
        self.answer(&method, call).into()
    }

    fn repr(&self) -> String {
        Object::Set(copies(&locked(&self.0)).collect()).to_string()
    }

    fn value(&self) -> Result<Object, Exception> {
        Ok(Object::Set(copies(&locked(&self.0)).collect()))
    }
}

fn copies(set: &Members) -> impl Iterator<Item = Object> {
    set.values().map(|value| value.object.clone())
}

fn members(iterable: Object, call: &Call) -> Result<Members, Exception> {
    // A proxy of another object here is as good as its content.
    let iterable = match call.referent(&iterable) {
        Some(referent) => referent.value()?,
        None => iterable,
    };
    elements(iterable)?.into_iter().map(|item| Ok((Key::of(&item)?, call.hold(item)))).collect()
}

fn related(method: &str, set: &Members, other: &Members) -> bool {
    let subset = |a: &Members, b: &Members| a.keys().all(|key| b.contains_key(key));
    match method {
        "isdisjoint" => !set.keys().any(|key| other.contains_key(key)),
        "issubset" | "__le__" => subset(set, other),
        "issuperset" | "__ge__" => subset(other, set),
        "__lt__" => set.len() < other.len() && subset(set, other),
        _ => other.len() < set.len() && subset(other, set),
    }
}

/// What the method makes of this set and the others.
fn combined(method: &str, set: Members, others: Vec<Members>) -> Members {
    others.into_iter().fold(set, |mut set, mut other| {
        match method {
            "intersection" | "intersection_update" | "__and__" | "__rand__" | "__iand__" => {
                set.retain(|key, _| other.contains_key(key));
            }
            "difference" | "difference_update" | "__sub__" | "__isub__" => {
                set.retain(|key, _| !other.contains_key(key));
            }
            "__rsub__" => {
                other.retain(|key, _| !set.contains_key(key));
                return other;
            }
            "symmetric_difference"
            | "symmetric_difference_update"
            | "__xor__"
            | "__rxor__"
            | "__ixor__" => {
                for (key, value) in other {
                    if set.remove(&key).is_none() {
                        set.insert(key, value);
                    }
                }
            }
            _ => {
                for (key, value) in other {
                    set.entry(key).or_insert(value);
                }
            }
        }
        set
    })
}
