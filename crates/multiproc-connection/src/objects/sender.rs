//! Objects over the sending end of a one-way pipe.

use serde::Serialize;

use crate::{SendError, Sender, TrySendError};

/// Messages that are Python objects, as on a [`Connection`](crate::Connection); with the feature
/// `python`.
impl<T> Sender<T> {
    /// Sends a value as a Python object, waiting while the pipe is full.
    ///
    /// # Errors
    ///
    /// As [`Connection::send_object`](crate::Connection::send_object).
    ///
    /// # Examples
    ///
    /// ```
    /// let (rx, tx) = multiproc_connection::simplex::<()>()?;
    /// tx.send_object(&(1, "two"))?;
    /// assert_eq!(rx.recv_object::<(u8, String)>()?, (1, "two".to_owned()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_object<V: Serialize + ?Sized>(&self, value: &V) -> Result<(), SendError> {
        self.socket().send_object(value)
    }

    /// Sends a value as a Python object if the pipe has room for it.
    ///
    /// # Errors
    ///
    /// As [`Connection::try_send_object`](crate::Connection::try_send_object).
    ///
    /// # Examples
    ///
    /// ```
    /// let (rx, tx) = multiproc_connection::simplex::<()>()?;
    /// tx.try_send_object("now")?;
    /// assert_eq!(rx.recv_object::<String>()?, "now");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_send_object<V: Serialize + ?Sized>(&self, value: &V) -> Result<(), TrySendError> {
        self.socket().try_send_object(value)
    }
}
