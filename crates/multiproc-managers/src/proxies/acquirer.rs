//! The proxies of what is acquired and released.

use std::time::Duration;

use super::Proxy;
use crate::CallError;

typed_proxy! {
    /// A proxy of a shared lock.
    ///
    /// It is held by a process. Any thread may release it, and any other process.
    ///
    /// # If a process dies
    ///
    /// When the holder does, and with it its connections, the lock is free again, and the next one
    /// that waits has it. A forked child that lives on holds copies of its parent's connections
    /// open, and with them the lock.
    ///
    /// # Python
    ///
    /// The `AcquirerProxy` of a `Lock`, which stays locked when its holder dies.
    ///
    /// # Errors
    ///
    /// All calls return [`CallError`]: `RuntimeError` when it is released while nobody holds it.
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// let manager = multiproc_managers::Manager::start()?;
    /// let lock = manager.lock()?;
    /// {
    ///     let _guard = lock.guard()?;
    ///     assert!(!lock.try_acquire()?);
    /// }
    /// lock.acquire()?;
    /// lock.release()?;
    /// assert!(lock.release().unwrap_err().is_raised("RuntimeError"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    LockProxy
}

typed_proxy! {
    /// A proxy of a shared lock that its holder, a thread, may take again.
    ///
    /// # If a process dies
    ///
    /// When the holder does, or its thread ends, the lock is free again.
    ///
    /// # Python
    ///
    /// The `AcquirerProxy` of an `RLock`.
    ///
    /// # Errors
    ///
    /// All calls return [`CallError`]: `RuntimeError` when it is released by another thread.
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// let manager = multiproc_managers::Manager::start()?;
    /// let lock = manager.rlock()?;
    /// lock.acquire()?;
    /// lock.acquire()?;
    /// lock.release()?;
    /// lock.release()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    RLockProxy
}

typed_proxy! {
    /// A proxy of a shared counter that can be waited on, bounded or not.
    ///
    /// # If a process dies
    ///
    /// The units that it has taken stay taken: they belong to nobody, and another process may give
    /// them back.
    ///
    /// # Python
    ///
    /// The `AcquirerProxy` of a `Semaphore` or `BoundedSemaphore`.
    ///
    /// # Errors
    ///
    /// All calls return [`CallError`]: `ValueError` when a bounded one is released too often.
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// let manager = multiproc_managers::Manager::start()?;
    /// let semaphore = manager.bounded_semaphore(1)?;
    /// semaphore.acquire()?;
    /// assert!(!semaphore.try_acquire()?);
    /// semaphore.release()?;
    /// assert!(semaphore.release().unwrap_err().is_raised("ValueError"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    SemaphoreProxy
}

/// What is acquired, and released when it is dropped.
///
/// It stays in its thread, which is the holder of a recursive lock.
///
/// # If a process dies
///
/// As the object says that it guards.
///
/// # Python
///
/// `with lock:`.
#[derive(Debug)]
#[must_use = "dropping a guard releases what it guards"]
pub struct Guard<'a> {
    proxy: &'a Proxy,
    _thread: std::marker::PhantomData<*const ()>,
}

impl<'a> Guard<'a> {
    pub(super) fn new(proxy: &'a Proxy) -> Result<Self, CallError> {
        proxy.call::<_, bool>("acquire", ())?;
        Ok(Self { proxy, _thread: std::marker::PhantomData })
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // Where the server is gone, so is what was held.
        let _ = self.proxy.request("release", vec![], vec![]);
    }
}

macro_rules! acquirer_methods {
    ($name:ident) => {
        impl $name {
            /// Waits for it and takes it.
            ///
            /// # Errors
            ///
            /// [`CallError`], of which kinds the type says.
            pub fn acquire(&self) -> Result<(), CallError> {
                self.proxy.call::<_, bool>("acquire", ()).map(drop)
            }

            /// Takes it if that is possible now, and returns whether it was.
            ///
            /// # Errors
            ///
            /// [`CallError`], of which kinds the type says.
            pub fn try_acquire(&self) -> Result<bool, CallError> {
                self.proxy.call("acquire", (false,))
            }

            /// Waits so long for it, and returns whether it was taken.
            ///
            /// # Errors
            ///
            /// [`CallError`], of which kinds the type says.
            pub fn acquire_timeout(&self, timeout: Duration) -> Result<bool, CallError> {
                self.proxy.call("acquire", (true, timeout.as_secs_f64()))
            }

            /// Gives it back.
            ///
            /// # Errors
            ///
            /// [`CallError`], of which kinds the type says.
            pub fn release(&self) -> Result<(), CallError> {
                self.proxy.call("release", ())
            }

            /// Returns whether it could not be taken now. A server from before Python 3.14 does not
            /// know.
            ///
            /// # Errors
            ///
            /// [`CallError`], of which kinds the type says.
            pub fn locked(&self) -> Result<bool, CallError> {
                self.proxy.call("locked", ())
            }

            /// Waits for it, and gives it back when the guard is dropped.
            ///
            /// # Errors
            ///
            /// [`CallError`], of which kinds the type says.
            #[doc(alias = "__enter__")]
            pub fn guard(&self) -> Result<Guard<'_>, CallError> {
                Guard::new(&self.proxy)
            }
        }
    };
}

acquirer_methods!(LockProxy);
acquirer_methods!(RLockProxy);
acquirer_methods!(SemaphoreProxy);
pub(super) use acquirer_methods;

impl SemaphoreProxy {
    /// Gives several units back at once.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn release_many(&self, count: usize) -> Result<(), CallError> {
        self.proxy.call("release", (count,))
    }

    /// Returns how many units are left. A server of CPython's does not tell.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn get_value(&self) -> Result<u64, CallError> {
        self.proxy.call("get_value", ())
    }
}
