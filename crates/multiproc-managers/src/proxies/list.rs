//! The proxy of a shared list.

use multiproc_wire::pickle::{Global, Instance, Made, Object};
use serde::{Serialize, de::DeserializeOwned};

use super::{object, objects};
use crate::CallError;

typed_proxy! {
    /// A proxy of a shared list of `T`.
    ///
    /// What is fetched is a copy: to change it does not change the list, until it is
    /// [`set`](Self::set). A proxy in the list stays one, so lists can be nested.
    ///
    /// # If a process dies
    ///
    /// As for any [`Proxy`](crate::Proxy); each call is made whole or not at all.
    ///
    /// # Python
    ///
    /// `multiprocessing.managers.ListProxy`. Slices are [`slice`](Self::slice) and its kin.
    ///
    /// # Errors
    ///
    /// All calls return [`CallError`]: `IndexError` and `ValueError` are
    /// [`Raised`](CallError::Raised) as Python raises them.
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// use multiproc_managers::{ListProxy, Manager};
    ///
    /// let manager = Manager::start()?;
    /// let inner: ListProxy<String> = manager.list([])?;
    /// let outer = manager.list([inner.clone()])?;
    /// inner.append("hello")?;
    /// assert_eq!(outer.get(0)?.to_vec()?, ["hello"]);
    ///
    /// let numbers = manager.list(0..10)?;
    /// numbers.reverse()?;
    /// assert_eq!(numbers.slice(2, 5)?, [7, 6, 5]);
    /// assert_eq!(numbers.pop()?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ListProxy<T>
}

/// A `slice`, as Python has it.
fn slice(
    start: impl Into<Option<isize>>,
    stop: impl Into<Option<isize>>,
    step: impl Into<Option<isize>>,
) -> Object {
    let args = [start.into().into(), stop.into().into(), step.into().into()];
    let mut slice = Instance::new(Global::new("builtins", "slice"), args);
    slice.made = Made::Call;
    slice.into()
}

impl<T> ListProxy<T> {
    fn ask<R: DeserializeOwned>(&self, method: &str, args: Vec<Object>) -> Result<R, CallError> {
        let object = self.proxy.request(method, args, vec![])?;
        self.proxy.read(object)
    }

    fn tell(&self, method: &str, args: Vec<Object>) -> Result<(), CallError> {
        self.proxy.request(method, args, vec![]).map(drop)
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

    /// Adds an item to the end.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn append(&self, item: impl Serialize) -> Result<(), CallError> {
        self.tell("append", vec![object(&item)?])
    }

    /// Adds items to the end, in one call.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn extend(&self, items: impl IntoIterator<Item: Serialize>) -> Result<(), CallError> {
        let (items, _kept) = objects(items)?;
        self.tell("extend", vec![items])
    }

    /// Puts an item before the one at `index`; negative ones count from the end.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn insert(&self, index: isize, item: impl Serialize) -> Result<(), CallError> {
        self.tell("insert", vec![index.into(), object(&item)?])
    }

    /// Sets the item at `index`; negative ones count from the end.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__setitem__")]
    pub fn set(&self, index: isize, item: impl Serialize) -> Result<(), CallError> {
        self.tell("__setitem__", vec![index.into(), object(&item)?])
    }

    /// Removes the item at `index`; negative ones count from the end.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__delitem__")]
    pub fn delete(&self, index: isize) -> Result<(), CallError> {
        self.tell("__delitem__", vec![index.into()])
    }

    /// Removes the items of a slice; `None` is an open end.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn delete_slice(
        &self,
        start: impl Into<Option<isize>>,
        stop: impl Into<Option<isize>>,
    ) -> Result<(), CallError> {
        self.tell("__delitem__", vec![slice(start, stop, None)])
    }

    /// Puts items in the place of a slice; `None` is an open end.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn set_slice(
        &self,
        start: impl Into<Option<isize>>,
        stop: impl Into<Option<isize>>,
        items: impl IntoIterator<Item: Serialize>,
    ) -> Result<(), CallError> {
        let (items, _kept) = objects(items)?;
        self.tell("__setitem__", vec![slice(start, stop, None), items])
    }

    /// Removes the first item that equals the value.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn remove(&self, value: &(impl Serialize + ?Sized)) -> Result<(), CallError> {
        self.tell("remove", vec![object(value)?])
    }

    /// Removes all items. A server from before Python 3.14 does not know it.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn clear(&self) -> Result<(), CallError> {
        self.tell("clear", vec![])
    }

    /// Turns the order around.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn reverse(&self) -> Result<(), CallError> {
        self.tell("reverse", vec![])
    }

    /// Sorts as Python does, texts and numbers each among themselves.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn sort(&self) -> Result<(), CallError> {
        self.tell("sort", vec![])
    }

    /// Sorts the other way round.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn sort_reverse(&self) -> Result<(), CallError> {
        self.proxy.request("sort", vec![], vec![("reverse".into(), true.into())]).map(drop)
    }

    /// Repeats the items in place.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__imul__")]
    pub fn repeat(&self, times: usize) -> Result<(), CallError> {
        self.tell("__imul__", vec![times.into()])
    }

    /// Returns whether an item equals the value.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__contains__")]
    pub fn contains(&self, value: &(impl Serialize + ?Sized)) -> Result<bool, CallError> {
        self.ask("__contains__", vec![object(value)?])
    }

    /// Returns how many items equal the value.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn count(&self, value: &(impl Serialize + ?Sized)) -> Result<usize, CallError> {
        self.ask("count", vec![object(value)?])
    }

    /// Returns the place of the first item that equals the value.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn index(&self, value: &(impl Serialize + ?Sized)) -> Result<usize, CallError> {
        self.ask("index", vec![object(value)?])
    }
}

impl<T: DeserializeOwned> ListProxy<T> {
    /// Returns a copy of the item at `index`; negative ones count from the end.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__getitem__")]
    pub fn get(&self, index: isize) -> Result<T, CallError> {
        self.ask("__getitem__", vec![index.into()])
    }

    /// Returns copies of the items of a slice; `None` is an open end.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn slice(
        &self,
        start: impl Into<Option<isize>>,
        stop: impl Into<Option<isize>>,
    ) -> Result<Vec<T>, CallError> {
        self.ask("__getitem__", vec![slice(start, stop, None)])
    }

    /// Returns copies of every `step`-th item of a slice.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn slice_step(
        &self,
        start: impl Into<Option<isize>>,
        stop: impl Into<Option<isize>>,
        step: isize,
    ) -> Result<Vec<T>, CallError> {
        self.ask("__getitem__", vec![slice(start, stop, step)])
    }

    /// Takes the last item out.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn pop(&self) -> Result<T, CallError> {
        self.ask("pop", vec![])
    }

    /// Takes the item at `index` out; negative ones count from the end.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn pop_at(&self, index: isize) -> Result<T, CallError> {
        self.ask("pop", vec![index.into()])
    }

    /// Returns copies of all items.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "copy")]
    #[doc(alias = "_getvalue")]
    pub fn to_vec(&self) -> Result<Vec<T>, CallError> {
        self.ask("__getitem__", vec![slice(None, None, None)])
    }

    /// Returns copies of all items and more behind them.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__add__")]
    pub fn concat(&self, items: impl IntoIterator<Item: Serialize>) -> Result<Vec<T>, CallError> {
        let (items, _kept) = objects(items)?;
        self.ask("__add__", vec![items])
    }

    /// Returns the copies of all items so many times.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__mul__")]
    #[doc(alias = "__rmul__")]
    pub fn repeated(&self, times: usize) -> Result<Vec<T>, CallError> {
        self.ask("__mul__", vec![times.into()])
    }

    /// Returns copies of all items, the last one first.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__reversed__")]
    pub fn reversed(&self) -> Result<Vec<T>, CallError> {
        self.ask("__getitem__", vec![slice(None, None, -1)])
    }

    /// Goes through the list item by item, each with a call of its own.
    ///
    /// It sees what others change meanwhile, and ends where there are no more, or at an error.
    #[doc(alias = "__iter__")]
    pub fn iter(&self) -> impl Iterator<Item = Result<T, CallError>> {
        let mut next = Some(0);
        std::iter::from_fn(move || {
            let index = next?;
            let item = self.get(index);
            next = item.is_ok().then_some(index + 1);
            match item {
                Err(err) if err.is_raised("IndexError") => None,
                item => Some(item),
            }
        })
    }
}
