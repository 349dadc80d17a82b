//! The proxies of shared queues.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use super::object;
use crate::CallError;

typed_proxy! {
    /// A proxy of a shared queue of `T`.
    ///
    /// # If a process dies
    ///
    /// One that waits is forgotten by the server. An item is lost only when its taker dies while the
    /// item is on its way to it.
    ///
    /// # Python
    ///
    /// The proxy of a manager's `Queue`.
    ///
    /// # Errors
    ///
    /// All calls return [`CallError`], which tells [`is_empty`](CallError::is_empty),
    /// [`is_full`](CallError::is_full) and [`is_shut_down`](CallError::is_shut_down).
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// use std::time::Duration;
    ///
    /// let manager = multiproc_managers::Manager::start()?;
    /// let queue = manager.queue::<String>(1)?;
    /// queue.put("hello")?;
    /// assert!(queue.try_put("world").unwrap_err().is_full());
    /// assert_eq!(queue.get()?, "hello");
    /// assert!(queue.get_timeout(Duration::from_millis(1)).unwrap_err().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    QueueProxy<T>
}

typed_proxy! {
    /// A proxy of a shared queue of `T` that counts what is done.
    ///
    /// # If a process dies
    ///
    /// As for a [`QueueProxy`]; what a dead process had taken is never done.
    ///
    /// # Python
    ///
    /// The proxy of a manager's `JoinableQueue`, which is the same as its `Queue`.
    ///
    /// # Errors
    ///
    /// As for a [`QueueProxy`].
    ///
    /// # Examples
    ///
    /// ```
    /// # multiproc_image::entry::init();
    /// let manager = multiproc_managers::Manager::start()?;
    /// let queue = manager.joinable_queue::<i64>(0)?;
    /// queue.put(&7)?;
    /// assert_eq!(queue.get()?, 7);
    /// queue.task_done()?;
    /// queue.join()?;
    /// assert!(queue.task_done().unwrap_err().is_raised("ValueError"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    JoinableQueueProxy<T>
}

macro_rules! queue_methods {
    ($name:ident) => {
        impl<T> $name<T> {
            /// Puts an item, and waits for room.
            ///
            /// # Errors
            ///
            /// [`CallError`], of which kinds the type says.
            pub fn put(&self, item: &(impl Serialize + ?Sized)) -> Result<(), CallError> {
                self.proxy.request("put", vec![object(item)?], vec![]).map(drop)
            }

            /// Puts an item if there is room.
            ///
            /// # Errors
            ///
            /// [`CallError`], of which kinds the type says.
            #[doc(alias = "put_nowait")]
            pub fn try_put(&self, item: &(impl Serialize + ?Sized)) -> Result<(), CallError> {
                self.proxy.request("put", vec![object(item)?, false.into()], vec![]).map(drop)
            }

            /// Puts an item, and waits so long for room.
            ///
            /// # Errors
            ///
            /// [`CallError`], of which kinds the type says.
            pub fn put_timeout(
                &self,
                item: &(impl Serialize + ?Sized),
                timeout: Duration,
            ) -> Result<(), CallError> {
                let args = vec![object(item)?, true.into(), timeout.as_secs_f64().into()];
                self.proxy.request("put", args, vec![]).map(drop)
            }

            /// Returns the number of items.
            ///
            /// # Errors
            ///
            /// [`CallError`], of which kinds the type says.
            pub fn qsize(&self) -> Result<usize, CallError> {
                self.proxy.call("qsize", ())
            }

            /// Returns whether there are no items.
            ///
            /// # Errors
            ///
            /// [`CallError`], of which kinds the type says.
            #[doc(alias = "empty")]
            pub fn is_empty(&self) -> Result<bool, CallError> {
                self.proxy.call("empty", ())
            }

            /// Returns whether there is no room.
            ///
            /// # Errors
            ///
            /// [`CallError`], of which kinds the type says.
            #[doc(alias = "full")]
            pub fn is_full(&self) -> Result<bool, CallError> {
                self.proxy.call("full", ())
            }

            /// Ends the queue: nothing can be put any more, and what is there can be got, unless it is
            /// to end at once. A server from before Python 3.13 does not know it.
            ///
            /// # Errors
            ///
            /// [`CallError`], of which kinds the type says.
            pub fn shutdown(&self, immediate: bool) -> Result<(), CallError> {
                self.proxy.call("shutdown", (immediate,))
            }
        }

        impl<T: DeserializeOwned> $name<T> {
            /// Takes the first item, and waits for one.
            ///
            /// # Errors
            ///
            /// [`CallError`], of which kinds the type says.
            pub fn get(&self) -> Result<T, CallError> {
                self.proxy.call("get", ())
            }

            /// Takes the first item if there is one.
            ///
            /// # Errors
            ///
            /// [`CallError`], of which kinds the type says.
            #[doc(alias = "get_nowait")]
            pub fn try_get(&self) -> Result<T, CallError> {
                self.proxy.call("get", (false,))
            }

            /// Takes the first item, and waits so long for one.
            ///
            /// # Errors
            ///
            /// [`CallError`], of which kinds the type says.
            pub fn get_timeout(&self, timeout: Duration) -> Result<T, CallError> {
                self.proxy.call("get", (true, timeout.as_secs_f64()))
            }
        }
    };
}

queue_methods!(QueueProxy);
queue_methods!(JoinableQueueProxy);

impl<T> JoinableQueueProxy<T> {
    /// Says that an item which was got is done.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn task_done(&self) -> Result<(), CallError> {
        self.proxy.call("task_done", ())
    }

    /// Waits until all items that were put are done.
    ///
    /// # Errors
    ///
    /// [`CallError`], of which kinds the type says.
    pub fn join(&self) -> Result<(), CallError> {
        self.proxy.call("join", ())
    }
}
