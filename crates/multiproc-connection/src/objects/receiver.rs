//! Objects over the receiving end of a one-way pipe.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::{Receiver, RecvError, RecvTimeoutError, TryRecvError};

/// Messages that are Python objects, as on a [`Connection`](crate::Connection); with the feature
/// `python`.
impl<T> Receiver<T> {
    /// Waits for a Python object and returns it as a value.
    ///
    /// # Errors
    ///
    /// As [`Connection::recv_object`](crate::Connection::recv_object).
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_wire::pickle::Object;
    ///
    /// let (rx, tx) = multiproc_connection::simplex::<()>()?;
    /// tx.send_object(&[1.5])?;
    /// assert_eq!(rx.recv_object::<Object>()?.to_string(), "(1.5,)");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_object<V: DeserializeOwned>(&self) -> Result<V, RecvError> {
        self.socket().recv_object()
    }

    /// Returns a Python object as a value if one is there.
    ///
    /// # Errors
    ///
    /// As [`Connection::try_recv_object`](crate::Connection::try_recv_object).
    ///
    /// # Examples
    ///
    /// ```
    /// let (rx, tx) = multiproc_connection::simplex::<()>()?;
    /// assert!(rx.try_recv_object::<char>().is_err());
    /// tx.send_object(&'x')?;
    /// assert_eq!(rx.try_recv_object::<char>()?, 'x');
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_recv_object<V: DeserializeOwned>(&self) -> Result<V, TryRecvError> {
        self.socket().try_recv_object()
    }

    /// Waits for a Python object for at most `timeout` and returns it as a value.
    ///
    /// # Errors
    ///
    /// As [`Connection::recv_object_timeout`](crate::Connection::recv_object_timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (rx, tx) = multiproc_connection::simplex::<()>()?;
    /// assert!(rx.recv_object_timeout::<char>(Duration::from_millis(1)).is_err());
    /// tx.send_object(&'x')?;
    /// assert_eq!(rx.recv_object_timeout::<char>(Duration::from_secs(60))?, 'x');
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_object_timeout<V: DeserializeOwned>(
        &self,
        timeout: Duration,
    ) -> Result<V, RecvTimeoutError> {
        self.socket().recv_object_timeout(timeout)
    }
}
