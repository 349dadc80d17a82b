//! The proxy of a shared iterator.

use serde::de::DeserializeOwned;

use crate::CallError;

typed_proxy! {
    /// A proxy of an iterator that goes one step at each call. It is an iterator itself.
    ///
    /// # If a process dies
    ///
    /// As for any [`Proxy`](crate::Proxy); a step that it had asked for is lost.
    ///
    /// # Python
    ///
    /// `multiprocessing.managers.IteratorProxy`.
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// let manager = multiproc_managers::Manager::start()?;
    /// let dict = manager.dict([("a".to_owned(), 1), ("b".to_owned(), 2)])?;
    /// let keys = dict.iter()?.collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(keys, ["a", "b"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    IteratorProxy<T>
}

impl<T> IteratorProxy<T> {
    /// Ends the iterator.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn close(&self) -> Result<(), CallError> {
        self.proxy.call("close", ())
    }
}

impl<T: DeserializeOwned> Iterator for IteratorProxy<T> {
    type Item = Result<T, CallError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.proxy.call("__next__", ()) {
            Err(err) if err.is_raised("StopIteration") => None,
            step => Some(step),
        }
    }
}
