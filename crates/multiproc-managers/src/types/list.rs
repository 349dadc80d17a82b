//! A shared list.

use std::sync::{Arc, Mutex};

use multiproc_wire::pickle::{Exception, Global, Instance, Made, Object};

use super::locked;
use crate::{
    Call, Outcome, Reply, Shared, raise,
    values::{Held, Place, elements, equal, place, sort},
};

/// A list that lives in a manager's server.
///
/// # Python
///
/// The `list` of a manager.
#[derive(Debug, Default)]
pub struct List(Mutex<Vec<Held>>);

const METHODS: &[&str] = &[
    "__add__",
    "__contains__",
    "__delitem__",
    "__getitem__",
    "__imul__",
    "__len__",
    "__mul__",
    "__reversed__",
    "__rmul__",
    "__setitem__",
    "append",
    "clear",
    "copy",
    "count",
    "extend",
    "index",
    "insert",
    "pop",
    "remove",
    "reverse",
    "sort",
];

impl List {
    /// Makes a list of these values.
    #[must_use]
    pub fn new(items: impl IntoIterator<Item = Object>) -> Self {
        Self(Mutex::new(items.into_iter().map(Held::plain).collect()))
    }

    pub(crate) fn create(mut call: Call) -> Result<Arc<dyn Shared>, Exception> {
        let mut args = call.take_args();
        let items = args.object("iterable").map_or(Ok(vec![]), elements)?;
        args.finish()?;
        let items = items.into_iter().map(|item| call.hold(item)).collect();
        Ok(Arc::new(Self(Mutex::new(items))))
    }

    fn answer(&self, method: &str, mut call: Call) -> Outcome {
        let mut args = call.take_args();
        let mut items = locked(&self.0);
        let items = &mut *items;
        let mut result = Object::None;
        match method {
            "__len__" => result = items.len().into(),
            "__getitem__" => {
                let copy = |at: usize| items[at].object.clone();
                result = match place(&args.required("index")?, items.len(), "list")? {
                    Place::One(at) => copy(at),
                    Place::Slice { places, .. } => {
                        Object::List(places.into_iter().map(copy).collect())
                    }
                };
            }
            "__setitem__" => {
                let (index, value) = (args.required("index")?, args.required("value")?);
                set(items, &index, value, &call)?;
            }
            "__delitem__" => delete(items, &args.required("index")?)?,
            "__contains__" => {
                let value = args.required("value")?;
                result = items.iter().any(|item| equal(&item.object, &value)).into();
            }
            "__add__" => {
                let Object::List(more) = args.required("value")? else {
                    return Err(raise::type_error("can only concatenate list to list"));
                };
                result = Object::List(copies(items).chain(more).collect());
            }
            "__mul__" | "__rmul__" => {
                let times = times(args.int("value", 0)?, items.len())?;
                result = Object::List((0..times).flat_map(|_| copies(items)).collect());
            }
            "__imul__" => {
                let times = times(args.int("value", 0)?, items.len())?;
                let once = std::mem::take(items);
                (0..times).for_each(|_| items.extend(once.iter().cloned()));
            }
            "__reversed__" => {
                let list = Object::List(copies(items).collect());
                let mut reversed = Instance::new(Global::new("builtins", "reversed"), [list]);
                reversed.made = Made::Call;
                result = reversed.into();
            }
            "append" => items.push(call.hold(args.required("object")?)),
            "clear" => items.clear(),
            "copy" => result = Object::List(copies(items).collect()),
            "count" => {
                let value = args.required("value")?;
                result = items.iter().filter(|item| equal(&item.object, &value)).count().into();
            }
            "extend" => {
                let more = elements(args.required("iterable")?)?;
                items.extend(more.into_iter().map(|item| call.hold(item)));
            }
            "index" => {
                let value = args.required("value")?;
                let start = clamped(args.int("start", 0)?, items.len());
                let stop = clamped(args.int("stop", i64::MAX)?, items.len());
                let mut range = (start..stop).filter(|at| equal(&items[*at].object, &value));
                let missing = || raise::value_error(format!("{value} is not in list"));
                result = range.next().ok_or_else(missing)?.into();
            }
            "insert" => {
                let at = clamped(args.int("index", 0)?, items.len());
                items.insert(at, call.hold(args.required("object")?));
            }
            "pop" => {
                if items.is_empty() {
                    return Err(raise::index_error("pop from empty list"));
                }
                let index = args.int("index", -1)?.into();
                let Ok(Place::One(at)) = place(&index, items.len(), "list") else {
                    return Err(raise::index_error("pop index out of range"));
                };
                args.finish()?;
                return Ok(items.remove(at).into());
            }
            "remove" => {
                let value = args.required("value")?;
                let found = items.iter().position(|item| equal(&item.object, &value));
                let missing = || raise::value_error("list.remove(x): x not in list");
                items.remove(found.ok_or_else(missing)?);
            }
            "reverse" => items.reverse(),
            "sort" => {
                if !matches!(args.object("key"), None | Some(Object::None)) {
                    return Err(raise::type_error("a shared list cannot be sorted by a function"));
                }
                let reverse = args.flag("reverse", false)?;
                sort(items, reverse)?;
            }
            _ => return Err(raise::attribute_error(format!("list has no method '{method}'"))),
        }
        args.finish()?;
        Ok(result.into())
    }
}

impl Shared for List {
    fn methods(&self) -> &'static [&'static str] {
        METHODS
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        let method = std::mem::take(&mut call.method);
        self.answer(&method, call).into()
    }

    fn repr(&self) -> String {
        Object::List(copies(&locked(&self.0)).collect()).to_string()
    }

    fn value(&self) -> Result<Object, Exception> {
        Ok(Object::List(copies(&locked(&self.0)).collect()))
    }
}

fn copies(items: &[Held]) -> impl Iterator<Item = Object> {
    items.iter().map(|item| item.object.clone())
}

fn set(items: &mut Vec<Held>, index: &Object, value: Object, call: &Call) -> Result<(), Exception> {
    match place(index, items.len(), "list")? {
        Place::One(at) => items[at] = call.hold(value),
        Place::Slice { places, start, end, plain } => {
            let values = elements(value)?.into_iter().map(|value| call.hold(value));
            if plain {
                items.splice(start..end, values);
            } else if values.len() == places.len() {
                places.into_iter().zip(values).for_each(|(at, value)| items[at] = value);
            } else {
                return Err(raise::value_error(format!(
                    "attempt to assign sequence of size {} to extended slice of size {}",
                    values.len(),
                    places.len()
                )));
            }
        }
    }
    Ok(())
}

fn delete(items: &mut Vec<Held>, index: &Object) -> Result<(), Exception> {
    match place(index, items.len(), "list")? {
        Place::One(at) => drop(items.remove(at)),
        Place::Slice { mut places, .. } => {
            places.sort_unstable();
            let mut at = 0;
            items.retain(|_| {
                at += 1;
                places.binary_search(&(at - 1)).is_err()
            });
        }
    }
    Ok(())
}

/// Bounds what one small request may have the server allocate.
fn times(times: i64, len: usize) -> Result<usize, Exception> {
    const MOST: usize = 1 << 28;
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    match len.checked_mul(times) {
        Some(total) if total <= MOST => Ok(if len == 0 { 0 } else { times }),
        _ => Err(raise::builtin("MemoryError", "list would be too long")),
    }
}

/// A place for which negative numbers count from the end, cut to what is there.
fn clamped(index: i64, len: usize) -> usize {
    let at = if index < 0 { index.saturating_add_unsigned(len as u64).max(0) } else { index };
    usize::try_from(at).unwrap_or(usize::MAX).min(len)
}
