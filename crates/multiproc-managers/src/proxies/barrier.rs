//! The proxy of a shared barrier.

use std::time::Duration;

use crate::CallError;

typed_proxy! {
    /// A proxy of a shared barrier.
    ///
    /// # If a process dies
    ///
    /// When it was waiting, the barrier is broken for the others.
    ///
    /// # Python
    ///
    /// `multiprocessing.managers.BarrierProxy`.
    ///
    /// # Errors
    ///
    /// All calls return [`CallError`]: `BrokenBarrierError` when the barrier is broken.
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// use std::time::Duration;
    ///
    /// let manager = multiproc_managers::Manager::start()?;
    /// let barrier = manager.barrier(2)?;
    /// assert_eq!((barrier.parties()?, barrier.n_waiting()?), (2, 0));
    /// let err = barrier.wait_timeout(Duration::from_millis(1)).unwrap_err();
    /// assert!(err.is_raised("BrokenBarrierError"));
    /// assert!(barrier.broken()?);
    /// barrier.reset()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    BarrierProxy
}

impl BarrierProxy {
    /// Waits until all parties wait, and returns this one's number among them.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn wait(&self) -> Result<usize, CallError> {
        self.proxy.call("wait", ((),))
    }

    /// Waits so long; one who waits longer breaks the barrier for all.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<usize, CallError> {
        self.proxy.call("wait", (timeout.as_secs_f64(),))
    }

    /// Breaks the barrier.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn abort(&self) -> Result<(), CallError> {
        self.proxy.call("abort", ())
    }

    /// Makes the barrier as new; those who wait find it broken.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn reset(&self) -> Result<(), CallError> {
        self.proxy.call("reset", ())
    }

    /// Returns how many have to wait for all to go on.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn parties(&self) -> Result<usize, CallError> {
        self.proxy.call("__getattribute__", ("parties",))
    }

    /// Returns how many wait now.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn n_waiting(&self) -> Result<usize, CallError> {
        self.proxy.call("__getattribute__", ("n_waiting",))
    }

    /// Returns whether the barrier is broken.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    #[doc(alias = "is_broken")]
    pub fn broken(&self) -> Result<bool, CallError> {
        self.proxy.call("__getattribute__", ("broken",))
    }
}
