//! The proxy of a shared set.

use multiproc_wire::pickle::Object;
use serde::{Serialize, de::DeserializeOwned};

use super::{object, objects};
use crate::CallError;

typed_proxy! {
    /// A proxy of a shared set of `T`.
    ///
    /// # If a process dies
    ///
    /// As for any [`Proxy`](crate::Proxy).
    ///
    /// # Python
    ///
    /// `multiprocessing.managers.SetProxy`, since 3.14. Its operators are the methods that they stand
    /// for.
    ///
    /// # Errors
    ///
    /// All calls return [`CallError`].
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// let manager = multiproc_managers::Manager::start()?;
    /// let set = manager.set([1, 2, 3])?;
    /// set.add(&4)?;
    /// set.discard(&1)?;
    /// assert!(set.contains(&4)?);
    /// assert_eq!(set.intersection([2, 4, 6])?, [2, 4]);
    /// assert_eq!(set.len()?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    SetProxy<T>
}

/// Makes methods that take other members.
macro_rules! with_others {
    ($($(#[$doc:meta])* $name:ident($method:literal) -> $result:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        ///
        /// [`CallError`], of which kinds the type says.
        pub fn $name(
            &self,
            others: impl IntoIterator<Item: Serialize>,
        ) -> Result<$result, CallError> {
            let (others, _kept) = objects(others)?;
            self.ask($method, vec![others])
        }
    )*};
}

impl<T> SetProxy<T> {
    fn ask<R: DeserializeOwned>(&self, method: &str, args: Vec<Object>) -> Result<R, CallError> {
        let object = self.proxy.request(method, args, vec![])?;
        self.proxy.read(object)
    }

    /// Returns the number of members.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn len(&self) -> Result<usize, CallError> {
        self.ask("__len__", vec![])
    }

    /// Returns whether there are no members.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn is_empty(&self) -> Result<bool, CallError> {
        Ok(self.len()? == 0)
    }

    /// Adds a member, if it is not there.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn add(&self, value: &(impl Serialize + ?Sized)) -> Result<(), CallError> {
        self.ask("add", vec![object(value)?])
    }

    /// Removes a member, if it is there.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn discard(&self, value: &(impl Serialize + ?Sized)) -> Result<(), CallError> {
        self.ask("discard", vec![object(value)?])
    }

    /// Removes a member, which has to be there: `KeyError` if not.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn remove(&self, value: &(impl Serialize + ?Sized)) -> Result<(), CallError> {
        self.ask("remove", vec![object(value)?])
    }

    /// Removes all members.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn clear(&self) -> Result<(), CallError> {
        self.ask("clear", vec![])
    }

    /// Returns whether this is a member.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "__contains__")]
    pub fn contains(&self, value: &(impl Serialize + ?Sized)) -> Result<bool, CallError> {
        self.ask("__contains__", vec![object(value)?])
    }

    with_others! {
        /// Adds members.
        update("update") -> ();
        /// Keeps only those that are among the others.
        intersection_update("intersection_update") -> ();
        /// Removes the others.
        difference_update("difference_update") -> ();
        /// Keeps those that are on one side only.
        symmetric_difference_update("symmetric_difference_update") -> ();
        /// Returns whether none is among the others.
        is_disjoint("isdisjoint") -> bool;
        /// Returns whether all are among the others.
        is_subset("issubset") -> bool;
        /// Returns whether all others are members.
        is_superset("issuperset") -> bool;
    }
}

impl<T: DeserializeOwned> SetProxy<T> {
    /// Takes out some member: `KeyError` if there is none.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn pop(&self) -> Result<T, CallError> {
        self.ask("pop", vec![])
    }

    /// Returns copies of all members.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "copy")]
    pub fn to_vec(&self) -> Result<Vec<T>, CallError> {
        self.ask("copy", vec![])
    }

    with_others! {
        /// Returns the members and the others.
        union("union") -> Vec<T>;
        /// Returns the members that are among the others.
        intersection("intersection") -> Vec<T>;
        /// Returns the members that are not among the others.
        difference("difference") -> Vec<T>;
        /// Returns what is on one side only.
        symmetric_difference("symmetric_difference") -> Vec<T>;
    }
}
