//! The proxy of a shared condition.

use std::time::{Duration, Instant};

use super::{Guard, acquirer::acquirer_methods};
use crate::CallError;

typed_proxy! {
    /// A proxy of a shared condition.
    ///
    /// # If a process dies
    ///
    /// Its lock is free again when the holder's connection ends; one that waits is forgotten, and what
    /// it was told before it had the lock again goes to the next one.
    ///
    /// # Python
    ///
    /// `multiprocessing.managers.ConditionProxy`.
    ///
    /// # Errors
    ///
    /// All calls return [`CallError`]: `RuntimeError` when somebody waits or notifies who does not
    /// hold the lock.
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// use std::{thread, time::Duration};
    ///
    /// let manager = multiproc_managers::Manager::start()?;
    /// let (condition, value) = (manager.condition()?, manager.value(0i32)?);
    /// let (other, its) = (condition.clone(), value.clone());
    /// let thread = thread::spawn(move || {
    ///     let _guard = other.guard()?;
    ///     its.set(&7)?;
    ///     other.notify_all()
    /// });
    /// {
    ///     let _guard = condition.guard()?;
    ///     condition.wait_for(|| Ok(value.get()? == 7))?;
    ///     assert!(!condition.wait_timeout(Duration::from_millis(1))?);
    /// }
    /// thread.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ConditionProxy
}

acquirer_methods!(ConditionProxy);

impl ConditionProxy {
    /// Lets go of the lock, waits to be notified, and takes the lock again.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn wait(&self) -> Result<(), CallError> {
        self.proxy.call::<_, bool>("wait", ((),)).map(drop)
    }

    /// Waits so long to be notified, and returns whether it was.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool, CallError> {
        self.proxy.call("wait", (timeout.as_secs_f64(),))
    }

    /// Waits until `predicate`, which is called here while the lock is held, says true.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn wait_for(
        &self,
        mut predicate: impl FnMut() -> Result<bool, CallError>,
    ) -> Result<(), CallError> {
        while !predicate()? {
            self.wait()?;
        }
        Ok(())
    }

    /// Waits so long until `predicate` says true, and returns what it said last.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn wait_for_timeout(
        &self,
        mut predicate: impl FnMut() -> Result<bool, CallError>,
        timeout: Duration,
    ) -> Result<bool, CallError> {
        // A time that no clock can show is as good as no limit.
        let Some(end) = Instant::now().checked_add(timeout) else {
            return self.wait_for(predicate).map(|()| true);
        };
        loop {
            if predicate()? {
                return Ok(true);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            self.wait_timeout(left)?;
        }
    }

    /// Wakes so many of those who wait.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn notify(&self, count: usize) -> Result<(), CallError> {
        self.proxy.call("notify", (count,))
    }

    /// Wakes all who wait.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn notify_all(&self) -> Result<(), CallError> {
        self.proxy.call("notify_all", ())
    }
}
