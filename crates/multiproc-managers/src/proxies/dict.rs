//! The proxy of a shared dict.

use multiproc_image::{FnRef, Function};
use multiproc_wire::pickle::{Exception, Object, from_object, to_object};
use serde::{Serialize, de::DeserializeOwned};

use super::{IteratorProxy, object};
use crate::{CallError, raise, types::Updater};

typed_proxy! {
    /// A proxy of a shared dict with keys `K` and values `V`, in the order in which the keys came.
    ///
    /// What is fetched is a copy. To change a value on the basis of what it is, use
    /// [`update_with`](Self::update_with) or [`compare_and_set`](Self::compare_and_set): between a
    /// `get` and a `set` others may change it.
    ///
    /// Keys are equal where Python has them equal: `1`, `1.0` and `True` are one.
    ///
    /// # If a process dies
    ///
    /// As for any [`Proxy`](crate::Proxy); each call is made whole or not at all.
    ///
    /// # Python
    ///
    /// `multiprocessing.managers.DictProxy`.
    ///
    /// # Errors
    ///
    /// All calls return [`CallError`]: a `KeyError` is [`Raised`](CallError::Raised) as Python
    /// raises it.
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// use multiproc_managers::{Manager, pickle::Object};
    ///
    /// let manager = Manager::start()?;
    /// let dict = manager.dict::<String, i64>([])?;
    /// dict.set("x", &7)?;
    /// assert_eq!(dict.get("x")?, Some(7));
    /// assert_eq!(dict.update_with("x", |x: Option<i64>| x.unwrap_or(0) + 1)?, 8);
    /// assert!(dict.compare_and_set("x", Some(&8), Some(&9))?);
    /// assert!(dict.get_item("y").unwrap_err().is_raised("KeyError"));
    ///
    /// let any = manager.dict::<Object, Object>([])?;
    /// any.set(&1, "1")?;
    /// any.set("2", &2)?;
    /// any.set(&0.25, &())?;
    /// assert_eq!(any.to_string(), "{1: '1', '2': 2, 0.25: None}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    DictProxy<K, V>
}

impl<K, V> DictProxy<K, V> {
    fn ask<R: DeserializeOwned>(&self, method: &str, args: Vec<Object>) -> Result<R, CallError> {
        let object = self.proxy.request(method, args, vec![])?;
        self.proxy.read(object)
    }

    /// Returns the number of items.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn len(&self) -> Result<usize, CallError> {
        self.ask("__len__", vec![])
    }

    /// Returns whether there are no items.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn is_empty(&self) -> Result<bool, CallError> {
        Ok(self.len()? == 0)
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__setitem__")]
    pub fn set(
        &self,
        key: &(impl Serialize + ?Sized),
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), CallError> {
        self.ask("__setitem__", vec![object(key)?, object(value)?])
    }

    /// Removes a key, which has to be there.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__delitem__")]
    pub fn delete(&self, key: &(impl Serialize + ?Sized)) -> Result<(), CallError> {
        self.ask("__delitem__", vec![object(key)?])
    }

    /// Returns whether a key is there.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__contains__")]
    #[doc(alias = "has_key")]
    pub fn contains_key(&self, key: &(impl Serialize + ?Sized)) -> Result<bool, CallError> {
        self.ask("__contains__", vec![object(key)?])
    }

    /// Removes all items.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn clear(&self) -> Result<(), CallError> {
        self.ask("clear", vec![])
    }

    /// Sets many items in one call, all of them or none.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn update<Key: Serialize, Value: Serialize>(
        &self,
        items: impl IntoIterator<Item = (Key, Value)>,
    ) -> Result<(), CallError> {
        let (items, _kept) = pairs(items)?;
        self.ask("update", vec![items])
    }

    /// Sets a value, or removes the key with `None`, if the value is the expected one; `None` expects
    /// the key not to be there. Returns whether it was so.
    ///
    /// No counterpart in Python; a server of CPython's does not know it.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn compare_and_set(
        &self,
        key: &(impl Serialize + ?Sized),
        expected: Option<&V>,
        new: Option<&V>,
    ) -> Result<bool, CallError>
    where
        V: Serialize,
    {
        let one = |value: Option<&V>| -> Result<Object, CallError> {
            Ok(Object::Tuple(
                value.map(|value| object(value)).into_iter().collect::<Result<_, _>>()?,
            ))
        };
        self.ask("compare_and_set", vec![object(key)?, one(expected)?, one(new)?])
    }
}

impl<K, V: DeserializeOwned> DictProxy<K, V> {
    /// Returns a copy of the value of a key, if the key is there.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn get(&self, key: &(impl Serialize + ?Sized)) -> Result<Option<V>, CallError> {
        self.ask("get", vec![object(key)?])
    }

    /// Returns a copy of the value of a key, which has to be there: `KeyError` if not.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__getitem__")]
    pub fn get_item(&self, key: &(impl Serialize + ?Sized)) -> Result<V, CallError> {
        self.ask("__getitem__", vec![object(key)?])
    }

    /// Takes out the value of a key, which has to be there.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn pop(&self, key: &(impl Serialize + ?Sized)) -> Result<V, CallError> {
        self.ask("pop", vec![object(key)?])
    }

    /// Takes out the value of a key, or returns the default.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn pop_or(&self, key: &(impl Serialize + ?Sized), default: V) -> Result<V, CallError>
    where
        V: Serialize,
    {
        self.ask("pop", vec![object(key)?, object(&default)?])
    }

    /// Returns the value of a key, which is set if it is not there.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "setdefault")]
    pub fn set_default(&self, key: &(impl Serialize + ?Sized), default: &V) -> Result<V, CallError>
    where
        V: Serialize,
    {
        self.ask("setdefault", vec![object(key)?, object(default)?])
    }

    /// Returns copies of the values.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn values(&self) -> Result<Vec<V>, CallError> {
        self.ask("values", vec![])
    }

    /// Sets a key to what a function of this program makes of its value, and returns that.
    ///
    /// The server calls it, once more if somebody has set the item meanwhile, so nothing comes in
    /// between. The server has to be a process of this family.
    ///
    /// No counterpart in Python; a server of CPython's does not know it.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn update_with<F>(
        &self,
        key: &(impl Serialize + ?Sized),
        function: F,
    ) -> Result<V, CallError>
    where
        V: Serialize + 'static,
        F: Function<(Option<V>,), Output = V, State = ()> + Copy + Send,
    {
        function.into_state();
        let updater: Updater = FnRef::new(updated::<F, V>);
        let message = multiproc_wire::encode(&updater)
            .map_err(|err| CallError::Remote(crate::error::chain(&err)))?;
        self.ask("update_with", vec![object(key)?, message.bytes.into()])
    }
}

impl<K: Serialize + DeserializeOwned, V: Serialize + DeserializeOwned> DictProxy<K, V> {
    /// Returns a copy of the items with those of another map put over them; the dict stays as it is.
    ///
    /// # Python
    ///
    /// `d | other`. `d |= other` is [`update`](Self::update).
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__or__")]
    pub fn merged(
        &self,
        other: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Vec<(K, V)>, CallError> {
        let (other, _kept) = pairs(other)?;
        let Object::Dict(items) = self.proxy.request("__or__", vec![other], vec![])? else {
            return Err(CallError::Malformed);
        };
        let item = |(key, value)| Ok((self.proxy.read(key)?, self.proxy.read(value)?));
        items.into_iter().map(item).collect()
    }
}

impl<K: DeserializeOwned, V> DictProxy<K, V> {
    /// Returns copies of the keys.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn keys(&self) -> Result<Vec<K>, CallError> {
        self.ask("keys", vec![])
    }

    /// Goes through the keys, each with a call of its own, as they are now.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__iter__")]
    pub fn iter(&self) -> Result<IteratorProxy<K>, CallError> {
        Ok(self.proxy.request_proxy("__iter__", vec![])?.into())
    }
}

impl<K: DeserializeOwned, V: DeserializeOwned> DictProxy<K, V> {
    /// Returns copies of the items.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "copy")]
    pub fn items(&self) -> Result<Vec<(K, V)>, CallError> {
        self.ask("items", vec![])
    }

    /// Takes out the item whose key came last.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "popitem")]
    pub fn pop_item(&self) -> Result<(K, V), CallError> {
        self.ask("popitem", vec![])
    }
}

/// Runs in the server.
fn updated<F, V>(before: Option<Object>) -> Result<Object, Exception>
where
    V: Serialize + DeserializeOwned,
    F: Function<(Option<V>,), Output = V, State = ()>,
{
    let fault = |err: multiproc_wire::pickle::ObjectError| raise::type_error(err.to_string());
    let before = before.map(from_object::<V>).transpose().map_err(fault)?;
    to_object(&F::call(&(), (before,))).map_err(fault)
}

/// Makes a dict of items, which are returned too, as by [`objects`](super::objects).
pub(crate) fn pairs<K: Serialize, V: Serialize>(
    items: impl IntoIterator<Item = (K, V)>,
) -> Result<(Object, Vec<(K, V)>), CallError> {
    let items: Vec<(K, V)> = items.into_iter().collect();
    let pair = |(key, value): &(K, V)| Ok((object(key)?, object(value)?));
    Ok((Object::Dict(items.iter().map(pair).collect::<Result<_, CallError>>()?), items))
}
