//! The proxy of a shared event.

use std::time::Duration;

use crate::CallError;

typed_proxy! {
    /// A proxy of a shared event.
    ///
    /// # If a process dies
    ///
    /// As for any [`Proxy`](crate::Proxy).
    ///
    /// # Python
    ///
    /// `multiprocessing.managers.EventProxy`.
    ///
    /// # Errors
    ///
    /// All calls return [`CallError`].
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// use std::time::Duration;
    ///
    /// let manager = multiproc_managers::Manager::start()?;
    /// let event = manager.event()?;
    /// assert!(!event.wait_timeout(Duration::from_millis(1))?);
    /// event.set()?;
    /// event.wait()?;
    /// event.clear()?;
    /// assert!(!event.is_set()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    EventProxy
}

impl EventProxy {
    /// Returns whether it is set.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn is_set(&self) -> Result<bool, CallError> {
        self.proxy.call("is_set", ())
    }

    /// Sets it, and wakes all who wait.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn set(&self) -> Result<(), CallError> {
        self.proxy.call("set", ())
    }

    /// Clears it.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn clear(&self) -> Result<(), CallError> {
        self.proxy.call("clear", ())
    }

    /// Waits until it is set.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn wait(&self) -> Result<(), CallError> {
        self.proxy.call::<_, bool>("wait", ((),)).map(drop)
    }

    /// Waits so long until it is set, and returns whether it was.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool, CallError> {
        self.proxy.call("wait", (timeout.as_secs_f64(),))
    }
}
