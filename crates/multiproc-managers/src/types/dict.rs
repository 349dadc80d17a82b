//! A shared dict.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use multiproc_image::FnRef;
use multiproc_wire::pickle::{Exception, Object};

use super::{Iter, locked};
use crate::{
    Answer, Args, Call, Reply, Shared, raise,
    values::{Held, Key, OrderedMap, elements, equal},
};

/// A dict that lives in a manager's server.
///
/// # Python
///
/// The `dict` of a manager.
#[derive(Debug, Default)]
pub struct Dict(Mutex<OrderedMap>);

const METHODS: &[&str] = &[
    "__contains__",
    "__delitem__",
    "__getitem__",
    "__ior__",
    "__iter__",
    "__len__",
    "__or__",
    "__reversed__",
    "__ror__",
    "__setitem__",
    "clear",
    "compare_and_set",
    "copy",
    "fromkeys",
    "get",
    "items",
    "keys",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "update_with",
    "values",
];

/// A function that makes an item's new value of the one that is there.
pub(crate) type Updater = FnRef<(Option<Object>,), Result<Object, Exception>>;

impl Dict {
    /// Makes an empty dict.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn create(mut call: Call) -> Result<Arc<dyn Shared>, Exception> {
        let mut args = call.take_args();
        let mut map = OrderedMap::default();
        update(&mut map, &mut args, &call)?;
        args.finish()?;
        Ok(Arc::new(Self(Mutex::new(map))))
    }

    fn answer(&self, method: &str, mut call: Call) -> Result<Answer, Exception> {
        let mut args = call.take_args();
        let mut map = locked(&self.0);
        let map = &mut *map;
        let mut result = Object::None;
        match method {
            "__getitem__" => {
                let name = args.required("key")?;
                let found = map.get(&Key::of(&name)?).map(|value| value.answer(&call));
                args.finish()?;
                return found.ok_or_else(|| raise::key_error(name));
            }
            "__setitem__" => {
                let (name, value) = (args.required("key")?, args.required("value")?);
                map.insert(Key::of(&name)?, name, call.hold(value));
            }
            "__delitem__" => {
                let name = args.required("key")?;
                map.remove(&Key::of(&name)?).ok_or_else(|| raise::key_error(name))?;
            }
            "__contains__" => result = map.contains(&Key::of(&args.required("key")?)?).into(),
            "__len__" => result = map.len().into(),
            "__iter__" | "__reversed__" => {
                let mut names: Vec<_> = map.iter().map(|(_, name, _)| name.clone()).collect();
                if method == "__reversed__" {
                    names.reverse();
                }
                args.finish()?;
                let object = Arc::new(Iter::new(names.into_iter().map(Ok)));
                return Ok(Answer::Shared { typeid: "Iterator".to_owned(), object });
            }
            "get" => {
                let key = Key::of(&args.required("key")?)?;
                let default = args.object("default").unwrap_or_default();
                args.finish()?;
                let found = map.get(&key).map(|value| value.answer(&call));
                return Ok(found.unwrap_or_else(|| default.into()));
            }
            "keys" => result = Object::List(map.iter().map(|(_, name, _)| name.clone()).collect()),
            "values" => {
                let values = map.iter().map(|(_, _, value)| value.object.clone());
                result = Object::List(values.collect());
            }
            "items" => {
                let items = pairs(map).map(|(name, value)| Object::Tuple(vec![name, value]));
                result = Object::List(items.collect());
            }
            "copy" => result = Object::Dict(pairs(map).collect()),
            "clear" => map.clear(),
            "pop" => {
                let name = args.required("key")?;
                let default = args.object("default").map(Answer::from);
                args.finish()?;
                let found = map.remove(&Key::of(&name)?).map(|(_, value)| value.into());
                return found.or(default).ok_or_else(|| raise::key_error(name));
            }
            "popitem" => {
                let empty = || raise::key_error("popitem(): dictionary is empty".into());
                args.finish()?;
                let (name, mut value) = map.pop().ok_or_else(empty)?;
                value.object = Object::Tuple(vec![name, value.object]);
                return Ok(value.into());
            }
            "setdefault" => {
                let name = args.required("key")?;
                let default = args.object("default").unwrap_or_default();
                let key = Key::of(&name)?;
                result = map.get(&key).map_or(&default, |value| &value.object).clone();
                if !map.contains(&key) {
                    map.insert(key, name, call.hold(default));
                }
            }
            "update" | "__ior__" => update(map, &mut args, &call)?,
            "__or__" | "__ror__" => {
                let mut other = OrderedMap::default();
                update(&mut other, &mut args, &call)?;
                let (mut first, second) =
                    if method == "__or__" { (map.clone(), &other) } else { (other, &*map) };
                for (key, name, value) in second.iter() {
                    first.insert(key.clone(), name.clone(), value.clone());
                }
                result = Object::Dict(pairs(&first).collect());
            }
            "fromkeys" => {
                let names = elements(args.required("iterable")?)?;
                let value = args.object("value").unwrap_or_default();
                let mut made = OrderedMap::default();
                for name in names {
                    made.insert(Key::of(&name)?, name, Held::plain(value.clone()));
                }
                result = Object::Dict(pairs(&made).collect());
            }
            "compare_and_set" => result = compare_and_set(map, &mut args, &call)?.into(),
            _ => return Err(raise::attribute_error(format!("dict has no method '{method}'"))),
        }
        args.finish()?;
        Ok(result.into())
    }

    /// Sets an item to what a function of this program makes of it.
    ///
    /// The function runs while others may use the dict, as it may itself; if somebody has set the item
    /// meanwhile, it runs again with what is there now.
    fn update_with(&self, mut call: Call) -> Result<Answer, Exception> {
        let mut args = call.take_args();
        let (name, function) = (args.required("key")?, args.required("function")?);
        args.finish()?;
        let function = function.as_bytes().unwrap_or_default();
        let function: Updater = multiproc_wire::decode(function, vec![])
            .map_err(|err| raise::type_error(crate::error::chain(&err)))?;
        let key = Key::of(&name)?;
        loop {
            let (stamp, held) = {
                let map = locked(&self.0);
                (map.stamp(&key), map.get(&key).cloned())
            };
            let before = held.as_ref().map(|value| value.object.clone());
            // A panic is the function's, the dict stays as it was.
            let after = catch_unwind(AssertUnwindSafe(|| function.call((before,))))
                .unwrap_or_else(|_| Err(raise::runtime_error("the function panicked")))?;
            let referents = call.table.referents(&after);
            let value = Held::new(after, referents);
            let mut map = locked(&self.0);
            if map.stamp(&key) == stamp {
                map.insert(key, name, value.clone());
                return Ok(value.into());
            }
        }
    }
}

impl Shared for Dict {
    fn methods(&self) -> &'static [&'static str] {
        METHODS
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        let method = std::mem::take(&mut call.method);
        if method == "update_with" {
            // Somebody's function: it may take its time.
            return Reply::blocking(move || self.update_with(call));
        }
        self.answer(&method, call).into()
    }

    fn repr(&self) -> String {
        Object::Dict(pairs(&locked(&self.0)).collect()).to_string()
    }

    fn value(&self) -> Result<Object, Exception> {
        Ok(Object::Dict(pairs(&locked(&self.0)).collect()))
    }
}

fn pairs(map: &OrderedMap) -> impl Iterator<Item = (Object, Object)> {
    map.iter().map(|(_, name, value)| (name.clone(), value.object.clone()))
}

/// Sets an item to a new value, or removes it, if it is what is expected, or not there.
fn compare_and_set(map: &mut OrderedMap, args: &mut Args, call: &Call) -> Result<bool, Exception> {
    let name = args.required("key")?;
    let (expected, new) = (one(args, "expected")?, one(args, "new")?);
    let key = Key::of(&name)?;
    let same = match (map.get(&key), &expected) {
        (Some(value), Some(expected)) => equal(&value.object, expected),
        (None, None) => true,
        _ => false,
    };
    match new {
        _ if !same => {}
        Some(new) => map.insert(key, name, call.hold(new)),
        None => drop(map.remove(&key)),
    }
    Ok(same)
}

/// An optional value: a tuple of it, or an empty one.
fn one(args: &mut Args, name: &str) -> Result<Option<Object>, Exception> {
    match args.required(name)? {
        Object::Tuple(mut items) if items.len() <= 1 => Ok(items.pop()),
        _ => Err(raise::type_error(format!("argument '{name}' must be a tuple of one or none"))),
    }
}

/// Does what `dict.update` does with these arguments, all or nothing.
fn update(map: &mut OrderedMap, args: &mut Args, call: &Call) -> Result<(), Exception> {
    let named = args.all_named();
    let mut pairs = match args.object("other") {
        None => vec![],
        Some(Object::Dict(pairs)) => pairs,
        Some(other) => elements(other)?.into_iter().map(pair).collect::<Result<_, _>>()?,
    };
    pairs.extend(named.into_iter().map(|(name, value)| (name.into(), value)));
    let keys = pairs.iter().map(|(name, _)| Key::of(name)).collect::<Result<Vec<_>, _>>()?;
    for (key, (name, value)) in keys.into_iter().zip(pairs) {
        map.insert(key, name, call.hold(value));
    }
    Ok(())
}

fn pair(item: Object) -> Result<(Object, Object), Exception> {
    let items = elements(item)?;
    let count = items.len();
    let [name, value] = items.try_into().map_err(|_| {
        raise::value_error(format!("update element has length {count}; 2 is required"))
    })?;
    Ok((name, value))
}
