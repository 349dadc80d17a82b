//! The proxy of a result that is waited for when it is wanted.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::pool::PoolCallError;
use crate::CallError;

typed_proxy! {
    /// A proxy of what will come of a call that a shared pool makes.
    ///
    /// The result stays in the server as long as there is a proxy of it, so it can be had again and again,
    /// and by other processes.
    ///
    /// # If a process dies
    ///
    /// As for [`PoolProxy`](crate::PoolProxy).
    ///
    /// # Python
    ///
    /// The proxy that `PoolProxy.apply_async` and its kin return.
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// let manager = multiproc_managers::Manager::start()?;
    /// let pool = manager.pool(1)?;
    /// let power = pool.apply_async(u64::pow, (2, 10))?;
    /// assert_eq!(power.get()?, 1024);
    /// assert!(power.ready()? && power.successful()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    AsyncResultProxy<R>
}

impl<R: DeserializeOwned> AsyncResultProxy<R> {
    /// Waits for the result.
    ///
    /// # Errors
    ///
    /// [`PoolCallError`]: what the call failed with, or what went wrong on the way to the server.
    pub fn get(&self) -> Result<R, PoolCallError> {
        Ok(self.proxy.call("get", ())?)
    }

    /// Waits for the result, but not longer than this.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and a raised `TimeoutError` when time is up.
    pub fn get_timeout(&self, timeout: Duration) -> Result<R, PoolCallError> {
        Ok(self.proxy.call("get", (timeout.as_secs_f64(),))?)
    }
}

impl<R> AsyncResultProxy<R> {
    /// Waits until there is a result, good or bad.
    ///
    /// # Errors
    ///
    /// [`CallError`] when the server cannot be reached.
    pub fn wait(&self) -> Result<(), CallError> {
        self.proxy.call("wait", ())
    }

    /// Waits until there is a result, but not longer than this.
    ///
    /// # Errors
    ///
    /// [`CallError`] when the server cannot be reached.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), CallError> {
        self.proxy.call("wait", (timeout.as_secs_f64(),))
    }

    /// Returns whether there is a result.
    ///
    /// # Errors
    ///
    /// [`CallError`] when the server cannot be reached.
    pub fn ready(&self) -> Result<bool, CallError> {
        self.proxy.call("ready", ())
    }

    /// Returns whether the call came to a value.
    ///
    /// # Errors
    ///
    /// [`CallError`]: a `ValueError` is raised before there is a result.
    pub fn successful(&self) -> Result<bool, CallError> {
        self.proxy.call("successful", ())
    }
}
